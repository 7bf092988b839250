"""Mutation tests: known mistakes are introduced into copies of the project, one per copy, and the named test must fail.

The first group contains defects of widely read implementations of autoencoders; the second, mistakes that would silently
change numbers.
"""

import re
import shutil
from dataclasses import dataclass

import pytest
from project import ROOT
from run_tests import run_tests

CRASHES = "AttributeError|NameError|ImportError|ModuleNotFoundError|SyntaxError|IndentationError"
PARTS = ("aebench", "conf", "stages", "tests", "dvc.yaml", "params.yaml", "pyproject.toml")


@dataclass(frozen=True)
class Mutant:
    """A mistake: `correct` in `file` is replaced by `wrong`, and `test` in tests/ must fail."""

    name: str
    file: str
    correct: str
    wrong: str
    test: str


OBJECTIVES, CONTRACTIVE, VARIATIONAL = "objectives.py", "models/contractive.py", "models/variational.py"
SEED_GROUP, METRICS, ARRAYS = "training/seed_group.py", "evaluation/metrics", "evaluation/arrays"

DEFECTS = [
    Mutant(
        "integer division of the contractive penalty",
        CONTRACTIVE,
        "/ self.settings.probes",
        "// self.settings.probes",
        "test_contractive.py::test_the_contraction_has_a_gradient_and_training_contracts",
    ),
    Mutant(
        "squared gradient of the summed code instead of ‖J‖²",
        CONTRACTIVE,
        "torch.eye(self.latent_dim, dtype",
        "torch.ones(1, self.latent_dim, dtype",
        "test_contractive.py::test_the_contraction_is_not_the_squared_gradient_of_the_summed_code",
    ),
    Mutant(
        "KL clamped to a capacity of 0",
        VARIATIONAL,
        "(beta * objectives.gaussian_kl(mean, log_variance)).mean()",
        "(beta * objectives.gaussian_kl(mean, log_variance)).clamp(0, 0).mean()",
        "test_variational.py::test_the_divergence_is_positive_and_its_gradient_leads_to_the_prior",
    ),
    Mutant(
        "KL averaged over units",
        OBJECTIVES,
        "+ log_variance.exp() - 1 - log_variance).sum(-1)",
        "+ log_variance.exp() - 1 - log_variance).mean(-1)",
        "test_formulas.py::test_gaussian_kl_by_hand",
    ),
    Mutant(
        "validation with another weight of the KL",
        SEED_GROUP,
        "self.ensemble.draw(len(indices), noise))",
        "self.ensemble.draw(len(indices), noise, 0.0))",
        "test_variational.py::test_validation_uses_the_final_beta",
    ),
    Mutant(
        "KL with the wrong sign",
        VARIATIONAL,
        '"divergence": (beta *',
        '"divergence": (-beta *',
        "test_variational.py::test_the_divergence_is_positive_and_its_gradient_leads_to_the_prior",
    ),
    Mutant(
        "mean activation over units instead of the batch",
        OBJECTIVES,
        "h.mean(0).clamp",
        "h.mean(1).clamp",
        "test_formulas.py::test_activations_are_averaged_over_the_batch_and_not_over_units",
    ),
    Mutant(
        "corrupted image as the denoising target",
        "models/denoising.py",
        "self.reconstruction(x, self",
        "self.reconstruction(corrupt(x, noise), self",
        "test_denoising.py::test_the_denoising_target_is_the_clean_image",
    ),
    Mutant(
        "training noise in validation",
        SEED_GROUP,
        'self.ensemble.generators("validation")',
        'self.ensemble.generators("noise", self.loop.epoch)',
        "test_laws.py::test_validation_uses_the_same_noise_at_every_epoch",
    ),
    Mutant(
        "half the squared error in the VAE",
        "models/observation.py",
        "else math.log(settings.variance)",
        "else 0.0",
        "test_variational.py::test_the_squared_error_of_a_vae_is_not_halved",
    ),
    Mutant(
        "mean of batch means",
        SEED_GROUP,
        "+ n * values.detach()",
        "+ 28 * values.detach()",  # 112 images in four batches, the last of which is smaller
        "test_laws.py::test_epoch_means_are_weighted_by_batch_size",
    ),
    Mutant(
        "seed set after the model was built",
        "training/ensemble.py",
        "with Streams(seed).initialising():",
        "with Streams(0).initialising():",
        "test_laws.py::test_the_seed_determines_the_initial_weights",
    ),
    Mutant(
        "resuming that ignores the seeds",
        "training/run.py",
        "[self.seeds, ",
        "[",
        "test_resume.py::test_seeds_are_part_of_the_identity_of_a_training_run",
    ),
    Mutant(
        "optimiser state saved but not loaded",
        "training/checkpoint.py",
        "loop.moments = {",
        "_ = {",
        "test_resume.py::test_a_resumed_training_run_equals_an_uninterrupted_one_bit_for_bit",
    ),
    Mutant(
        "epochs chosen on test images",
        "training/run.py",
        '("train", "validation")',
        '("train", "test")',
        "test_laws.py::test_training_reads_no_test_image",
    ),
]
SILENT = [
    Mutant(
        "accuracies of fine-tuned classifiers taken on validation images",
        "evaluation/classify.py",
        'storage.load_split(finetuning.run.dataset, "test")',
        'storage.load_split(finetuning.run.dataset, "validation")',
        "test_finetuning.py::test_fine_tuned_classifiers_are_scored_on_test_images",
    ),
    Mutant(
        "labelled images of fine-tuning that differ between models",
        "training/finetuning.py",
        "stratified_subset(split.labels, fraction, s)",
        "stratified_subset(split.labels, fraction, s + len(self.run.model))",
        "test_finetuning.py::test_fine_tuning_uses_the_same_labelled_images_for_every_model_and_initialisation",
    ),
    Mutant(
        "labelled images of fine-tuning that differ between initialisations",
        "training/finetuning.py",
        "images = self.labelled_images(fraction)",
        "images = self.labelled_images(fraction + 0.01 * INITIALISATIONS.index(initialisation))",
        "test_finetuning.py::test_fine_tuning_uses_the_same_labelled_images_for_every_model_and_initialisation",
    ),
    Mutant(
        "learning-rate schedule that is not applied",
        SEED_GROUP,
        "self._set_learning_rate(factor(self.settings, epoch, batch, batches))",
        "self._set_learning_rate(1.0)",
        "test_optimisers.py::test_the_learning_rate_of_every_update_follows_the_schedule_from_the_first_epoch",
    ),
    Mutant(
        "learning-rate schedule that is one epoch late",
        SEED_GROUP,
        "factor(self.settings, epoch, batch, batches)",
        "factor(self.settings, max(0, epoch - 1), batch, batches)",
        "test_optimisers.py::test_the_learning_rate_of_every_update_follows_the_schedule_from_the_first_epoch",
    ),
    Mutant(
        "t-SNE map that ignores its random stream",
        f"{ARRAYS}/embedding.py",
        "view.generator(Use.EMBEDDING)",
        "Generator()",
        "test_embedding.py::test_the_map_starts_alike_for_every_seed",
    ),
    Mutant(
        "linear probe standardised by validation codes",
        "classifiers/linear_probe.py",
        "Axes.of(train.codes)",
        "Axes.of(torch.cat([train.codes, validation.codes]))",
        "test_linear_probe.py::test_codes_are_standardised_by_training_codes_not_by_validation_codes",
    ),
    Mutant(
        "input of a stage that is not among its deps",
        "../dvc.yaml",
        "weights.safetensors\n      - runs/feature_classifiers/${item.dataset}.safetensors",
        "weights.safetensors",
        "test_stage_inputs.py::test_a_stage_reads_only_its_declared_inputs[evaluate]",
    ),
    Mutant(
        "seed whose loss is not finite kept as a result",
        "training/minimise.py",
        "if not is_finite]",
        "if not is_finite and False]",
        "test_failed_seeds.py::test_a_seed_without_a_finite_loss_fails_with_its_epoch_and_the_others_are_untouched",
    ),
    Mutant(
        "failed seeds counted in n",
        "reporting/tables/comparison.py",
        "model.parameters, sum(model.measured))",
        "model.parameters, len(model.seeds))",
        "test_failed_seeds.py::test_the_report_shows_failed_seeds_in_n_and_in_a_line_and_others_as_before",
    ),
    Mutant(
        "standard deviation instead of variance in a density",
        OBJECTIVES,
        "* (-log_variance).exp()",
        "* (-log_variance / 2).exp()",
        "test_formulas.py::test_gaussian_nll_equals_scipy",
    ),
    Mutant(
        "mean of the logarithms of importance weights",
        OBJECTIVES,
        "log_mean_exp(beta[..., None] * ratio - nll)",
        "(beta[..., None] * ratio - nll).mean(-1)",
        "test_formulas.py::test_importance_bounds_increase_with_k_from_elbo_to_evidence",
    ),
    Mutant(
        "square of a row's sum in the contraction",
        OBJECTIVES,
        "weight.square().sum(0)",
        "weight.sum(0).square()",
        "test_formulas.py::test_layer_contraction_equals_autograd",
    ),
    Mutant(
        "dropout without rescaling",
        "corruptions.py",
        "return (keep / (1 - level),)",
        "return (keep,)",
        "test_corruptions.py::test_dropout_is_masking_rescaled_to_keep_the_mean",
    ),
    Mutant(
        "sparsity penalty without its weight",
        "models/sparse.py",
        "self.settings.weight * self.penalty(h)",
        "self.penalty(h)",
        "test_sparse.py::test_sparse_with_weight_0_is_vanilla_bit_for_bit",
    ),
    Mutant(
        "PCA of uncentred images",
        "models/pca.py",
        "x = x - mean",
        "x = x + 0",
        "test_baselines.py::test_the_error_of_pca_is_the_sum_of_the_discarded_eigenvalues",
    ),
    Mutant(
        "pretrained weights discarded",
        "models/stacked.py",
        "ensemble.load(",
        "(lambda *_: None)(",
        "test_stacked.py::test_pretraining_leaves_lower_layers_unchanged_and_fine_tuning_starts_from_all",
    ),
    Mutant(
        "one sample of z for a whole batch",
        VARIATIONAL,
        "torch.randn(n, self.settings.samples",
        "torch.randn(1, self.settings.samples",
        "test_variational.py::test_samples_differ_by_image_by_k_and_by_seed",
    ),
    Mutant(
        "effective β without the scale of the error",
        VARIATIONAL,
        "self.settings.beta * self.scale()",
        "self.settings.beta * torch.ones(())",
        "test_variational.py::test_the_effective_beta_is_the_reported_one",
    ),
    Mutant(
        "gap between the ELBO and the bound with one sample",
        f"{METRICS}/density.py",
        "return iwae(r) - elbo(r)",
        "return float(bounds(r.density.log_weights, 1).mean()) - elbo(r)",
        "test_density.py::test_elbo_is_below_iwae_and_iwae_below_the_evidence_with_a_wrong_posterior",
    ),
    Mutant(
        "variance over all pixels together",
        f"{METRICS}/reconstruction.py",
        ".var(0, correction=0).sum()",
        ".var(correction=0) * images.shape[1]",
        "test_reconstruction.py::test_adversarial_variance_is_about_the_mean_image_not_the_mean_pixel",
    ),
    Mutant(
        "levels of compression chosen on test images",
        f"{METRICS}/compression.py",
        "validation = r.compression.validation\n    sufficient",
        "validation = r.compression.test\n    sufficient",
        "test_compression.py::test_levels_are_chosen_on_validation_images_and_reported_on_test_images",
    ),
    Mutant(
        "penalty of the linear probe chosen on test images",
        "classifiers/linear_probe.py",
        "fit(train, validation, axes",
        "fit(train, test, axes",
        "test_linear_probe.py::test_test_images_do_not_influence_the_penalty",
    ),
    Mutant(
        "linear probe standardised by test codes",
        "classifiers/linear_probe.py",
        "Axes.of(train.codes)",
        "Axes.of(test.codes)",
        "test_linear_probe.py::test_codes_are_standardised_by_training_codes_not_by_test_codes",
    ),
    Mutant(
        "samplers fitted to validation codes",
        f"{ARRAYS}/generation.py",
        "view.reference_codes[: -view.validation_count]",
        "view.reference_codes",
        "test_generation.py::test_samplers_are_fitted_to_training_images_alone",
    ),
    Mutant(
        "an image as its own nearest neighbour",
        f"{METRICS}/fidelity.py",
        "[:, [K_MANIFOLD, K_DENSITY]]",
        "[:, [K_MANIFOLD - 1, K_DENSITY - 1]]",
        "test_generation.py::test_precision_recall_density_and_coverage_match_their_published_definitions",
    ),
    Mutant(
        "importance weights averaged as logarithms",
        f"{METRICS}/density.py",
        "log_mean_exp(log_weights.unfold(1, samples, samples))",
        "log_weights.unfold(1, samples, samples).mean(2)",
        "test_density.py::test_weights_are_averaged_as_probabilities_not_as_logarithms",
    ),
    Mutant(
        "p values without Holm's correction",
        "statistics.py",
        "np.arange(n, 0, -1) *",
        "np.ones(n) *",
        "test_statistics.py::test_holm_by_hand",
    ),
    Mutant(
        "seeds that are not paired",
        "statistics.py",
        "np.broadcast_arrays(samples[a], samples[b])",
        "np.broadcast_arrays(samples[a], np.sort(samples[b]))",
        "test_statistics.py::test_a_comparison_is_scipys_paired_t_test",
    ),
    Mutant(
        "a claim supported by its mean alone",
        "reporting/claims.py",
        "if least < low and high < most:",
        "if least < effect.mean < most:",
        "test_claims.py::test_an_interval_inside_the_bounds_supports_and_one_outside_refutes",
    ),
    Mutant(
        "models of all latent dimensions compete",
        "reporting/results.py",
        "groups.setdefault(model.cost.latent_dim, {})",
        "groups.setdefault(0, {})",
        "test_report_numbers.py::test_the_best_at_a_latent_dimension_and_ties_with_it_are_bold_in_every_format",
    ),
    Mutant(
        "checksums of pictures that are not compared",
        "data/picture.py",
        "checked.verify()",
        "checked.tell()",
        "test_data_errors.py::test_bad_input_is_reported_in_one_line_and_leaves_nothing[picture with another checksum]",
    ),
    Mutant(
        "damaged outputs that nobody notices",
        "pipeline/dvc_damage.py",
        "md5(file) != digest",
        "md5(file) == ''",
        "reliability/test_damage.py::test_a_flipped_bit_in_any_output_is_found_and_the_output_is_made_again",
    ),
    Mutant(
        "binary training images drawn with the noise of the model",
        SEED_GROUP,
        'for stream in ("noise", "presentation"))',
        'for stream in ("noise", "noise"))',
        "test_binarised.py::test_training_images_are_not_drawn_with_the_noise_of_the_model",
    ),
    Mutant(
        "binary images that do not depend on the seed of the split",
        "data/splits.py",
        "binarise(splits, source.binarised, source.split_seed)",
        "binarise(splits, source.binarised, 0)",
        "test_binarised.py::test_a_prepared_data_set_is_drawn_with_the_seed_of_its_split",
    ),
    Mutant(
        "likelihoods of papers on validation images",
        "papers/run.py",
        '"test": ("test", ',
        '"test": ("validation", ',
        "test_paper_measures.py::test_a_likelihood_is_that_of_the_binary_test_images",
    ),
    Mutant(
        "fewer samples for the likelihoods of papers",
        "papers/measures.py",
        "SAMPLES, BLOCK = 5000, 100",
        "SAMPLES, BLOCK = 50, 100",
        "test_paper_measures.py::test_a_likelihood_has_as_many_samples_as_in_the_paper",
    ),
    Mutant(
        "active units with another threshold",
        f"{METRICS}/density.py",
        "var(0, correction=0) > ACTIVE",
        "var(0, correction=0) > 1",
        "test_density.py::test_a_unit_is_active_if_its_mean_has_a_variance_above_a_hundredth",
    ),
    Mutant(
        "results of a paper that outlive a change of the code",
        "papers/run.py",
        "json.dumps([described, code, self.data.digest]",
        "json.dumps([described, self.data.digest]",
        "test_papers.py::test_the_identity_of_a_run_changes_with_settings_seeds_code_and_data",
    ),
    Mutant(
        "two densities with the same noise",
        f"{ARRAYS}/density.py",
        "view.generator(Use.EXPOST_DENSITY)",
        "view.generator(Use.DENSITY)",
        "test_density.py::test_densities_do_not_share_draws",
    ),
    Mutant(
        "wall times in the fingerprint of the lock",
        "storage/lock.py",
        "not in WITH_WALL_TIMES",
        "not in ()",
        "test_lock.py::test_the_fingerprint_changes_with_results_but_not_with_wall_times",
    ),
]
MUTANTS = DEFECTS + SILENT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_text_to_replace_occurs_once(mutant):
    assert (ROOT / "aebench" / mutant.file).read_text().count(mutant.correct) == 1


@pytest.fixture
def copy(tmp_path):
    """A copy of the project."""
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, tmp_path / part)
    return tmp_path


@pytest.mark.slow
def test_the_named_tests_pass_in_an_unchanged_copy(copy):
    assert run_tests(copy, *sorted({mutant.test for mutant in MUTANTS})) == 0, (copy / "output.txt").read_text()[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fails_its_test(mutant, copy):
    file = copy / "aebench" / mutant.file
    file.write_text(file.read_text().replace(mutant.correct, mutant.wrong))
    status, output = run_tests(copy, mutant.test), (copy / "output.txt").read_text()
    assert status == 1, output[-2000:]
    assert not re.search(f"^E +({CRASHES})", output, re.MULTILINE), f"the mutant is not wrong, it crashes: {output[-2000:]}"
