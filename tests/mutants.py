"""Put known mistakes into copies of the project, one in each, and see a named test go red: `python tests/mutants.py`.

    python tests/mutants.py               all of them; some run a pipeline (minutes)
    python tests/mutants.py --fast        those whose test takes seconds
    python tests/mutants.py "name" ...    these
    python tests/mutants.py --write       write MUTANTS.md, the table of them all

A mutant survives if its test passes, cannot run, or is red without it; the exit status is not 0 if one does. The ten
`DEFECTS` are of widely read implementations of autoencoders.
"""

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from project import ROOT, clone

TABLE = Path(__file__).with_name("MUTANTS.md")
PARTS = ("aebench", "conf", "stages", "tests", "dvc.yaml", "params.yaml", "pyproject.toml")
AT_ONCE = 2


@dataclass(frozen=True)
class Mutant:
    """`right` in `file` becomes `wrong`, and `test` (a pytest id under tests/) must notice."""

    name: str
    file: str
    right: str
    wrong: str
    test: str
    defect: int | None = None
    slow: bool = False

    def put_into(self, folder: Path) -> None:
        """Change the file in a copy of the project."""
        path = folder / self.file
        text = path.read_text() if path.exists() else ""
        if text.count(self.right) != 1:
            raise LookupError(f"{self.name}: {self.right!r} is {text.count(self.right)} times in {self.file}, must be once")
        path.write_text(text.replace(self.right, self.wrong))


DEFECTS = {
    1: "An integer division made the gradient of a contractive penalty 0, under a plausible norm",
    2: "A contractive penalty squared the gradient of the summed code instead of taking ‖J‖²_F",
    3: "A KL clamped to a capacity of 0 was 0 throughout",
    4: "A KL averaged over latent units beside an error summed over pixels: another effective β",
    5: "A KL trained with one weight and validated with another; a KL of the wrong sign",
    6: "A sparse KL averaged over units instead of over the batch",
    7: "A denoising target that was the noisy image; evaluation on training's noise",
    8: "SSE of one model beside SSE/2 of another; epoch losses as means of batch means",
    9: "A seed set after the model was built; a resume that ignores it; an optimiser saved and not loaded",
    10: "Accuracy reported as its maximum over epochs on the test set",
}

CLAIMS = "aebench/reporting/claims.py"
OBJECTIVES, CORRUPTIONS = "aebench/objectives.py", "aebench/corruptions.py"
LAYERS, VANILLA, DENOISING = (f"aebench/models/{name}.py" for name in ("layers", "vanilla", "denoising"))
SPARSE, CONTRACTIVE, STACKED = (f"aebench/models/{name}.py" for name in ("sparse", "contractive", "stacked"))
VARIATIONAL, CLASSIFIER, PCA = (f"aebench/models/{name}.py" for name in ("variational", "classifier", "pca"))
ENSEMBLE, MINIMISE, CHECKPOINT = (f"aebench/training/{name}.py" for name in ("ensemble", "minimise", "checkpoint"))
FORMULAS, LIMITS, LAWS = (f"test_{name}.py::test" for name in ("formulas", "family_limits", "laws"))
RESUME, HOUSE = (f"test_{name}.py::test" for name in ("resume", "architecture"))
OF_TRAIN = '    params:\n      - suite.seeds\n      - conf/${item.dataset}.yaml: [training, "models.'

MUTANTS = [
    # The ten defects
    Mutant(
        "integer division of the contractive penalty",
        CONTRACTIVE,
        "/ self.params.probes",
        "// self.params.probes",
        f"{LIMITS}_the_penalty_moves_the_gradient_and_training_contracts[contractive/hutchinson]",
        defect=1,
    ),
    Mutant(
        "gradient of the summed code",
        CONTRACTIVE,
        "torch.eye(self.code, dtype",
        "torch.ones(1, self.code, dtype",
        f"{LIMITS}_the_penalty_is_not_the_square_of_the_summed_codes_gradient[exact]",
        defect=2,
    ),
    Mutant(
        "capacity of 0",
        VARIATIONAL,
        "(beta * objectives.gaussian_kl(mean, log_variance)).mean()",
        "(beta * objectives.gaussian_kl(mean, log_variance)).clamp(0, 0).mean()",
        f"{LIMITS}_the_divergence_is_positive_and_moves_the_gradient_towards_the_prior",
        defect=3,
    ),
    Mutant(
        "KL averaged over units",
        OBJECTIVES,
        "+ log_variance.exp() - 1 - log_variance).sum(-1)",
        "+ log_variance.exp() - 1 - log_variance).mean(-1)",
        f"{LIMITS}_the_effective_beta_is_the_one_that_is_printed[1.0]",
        defect=4,
    ),
    Mutant(
        "validation with the weight of the first epoch",
        MINIMISE,
        "self.ensemble.draw(len(rows), noise)",
        "self.ensemble.draw(len(rows), noise, 0.0)",
        f"{LIMITS}_validation_weighs_the_divergence_as_the_end_of_training_does",
        defect=5,
    ),
    Mutant(
        "KL of the wrong sign",
        VARIATIONAL,
        '"divergence": (beta *',
        '"divergence": (-beta *',
        f"{LIMITS}_the_divergence_is_positive_and_moves_the_gradient_towards_the_prior",
        defect=5,
    ),
    Mutant(
        "activations averaged over units",
        OBJECTIVES,
        "h.mean(0).clamp",
        "h.mean(1).clamp",
        f"{FORMULAS}_activations_are_averaged_over_the_batch_and_not_over_units",
        defect=6,
    ),
    Mutant(
        "target is the noisy image",
        DENOISING,
        "self.reconstruction(x, self",
        "self.reconstruction(corrupt(x, noise), self",
        f"{LIMITS}_denoising_asks_for_the_clean_image_not_the_noisy_one",
        defect=7,
    ),
    Mutant(
        "validation with training's noise",
        MINIMISE,
        'self.ensemble.generators("validation")',
        'self.ensemble.generators("noise", self.epoch)',
        f"{LAWS}_validation_uses_the_same_noise_at_every_epoch",
        defect=7,
    ),
    Mutant(
        "half of the squared error",
        VARIATIONAL,
        "else math.log(params.variance)",
        "else 0.0",
        f"{LIMITS}_a_vaes_squared_error_is_the_familys_and_not_half_of_it",
        defect=8,
    ),
    Mutant(
        "a mean of batch means",
        MINIMISE,
        "sums[name] = sums.get(name, 0) + n * values.detach()",
        "sums[name] = sums.get(name, 0) + 28 * values.detach()",
        f"{LAWS}_ragged_batches_and_validation_blocks_count_by_their_size",
        defect=8,
    ),
    Mutant(
        "seed set after the model was built",
        ENSEMBLE,
        "with Streams(seed).initialising():",
        "with Streams(0).initialising():",
        f"{LAWS}_the_seed_decides_the_start[vanilla]",
        defect=9,
    ),
    Mutant(
        "training ignores the seed",
        ENSEMBLE,
        "[Streams(seed).torch(stream, step, self.device) for",
        "[Streams(0).torch(stream, step, self.device) for",
        f"{LAWS}_the_seed_decides_the_training_even_from_equal_starts[vanilla]",
        defect=9,
    ),
    Mutant(
        "resume ignores what is resumed",
        CHECKPOINT,
        'if facts.get("identity") != self.identity:',
        "if False:",
        f"{RESUME}_a_checkpoint_of_another_training_is_not_resumed",
        defect=9,
    ),
    Mutant(
        "resume ignores the seeds",
        "aebench/experiment.py",
        "return [self.seeds, code,",
        "return [code,",
        f"{RESUME}_another_seed_is_another_training",
        defect=9,
    ),
    Mutant(
        "optimiser saved and never loaded",
        CHECKPOINT,
        "descent.optimiser.state[descent.ensemble.weights] = moments",
        "pass",
        f"{RESUME}_interrupted_and_resumed_is_bit_for_bit_uninterrupted[4-vanilla]",
        defect=9,
    ),
    Mutant(
        "epochs chosen on test images",
        "aebench/experiment.py",
        'PARTS = ("train", "validation")',
        'PARTS = ("train", "test")',
        f"{LAWS}_training_reads_no_test_image",
        defect=10,
    ),
    Mutant(
        "training depends on test images",
        "dvc.yaml",
        OF_TRAIN,
        f"      - data/${{item.dataset}}/test.npz\n{OF_TRAIN}",
        "test_pipeline.py::test_no_path_leads_from_test_data_into_training",
        defect=10,
        slow=True,
    ),
    # Formulas
    Mutant(
        "error averaged over pixels",
        OBJECTIVES,
        "(x - x_hat).square().sum(-1)",
        "(x - x_hat).square().mean(-1)",
        f"{FORMULAS}_squared_error_by_hand",
    ),
    Mutant("sign of a log", OBJECTIVES, "- x * logits", "+ x * logits", f"{FORMULAS}_bernoulli_by_hand"),
    Mutant(
        "density without its constant",
        OBJECTIVES,
        "math.log(2 * math.pi) + log_variance +",
        "log_variance +",
        f"{FORMULAS}_gaussian_nll_by_hand",
    ),
    Mutant(
        "deviation for variance in a density",
        OBJECTIVES,
        "* (-log_variance).exp()",
        "* (-log_variance / 2).exp()",
        f"{FORMULAS}_gaussian_nll_is_scipys",
    ),
    Mutant(
        "KL without the 1",
        OBJECTIVES,
        "log_variance.exp() - 1 - log_variance",
        "log_variance.exp() - log_variance",
        f"{FORMULAS}_gaussian_kl_is_the_integral[0.7-0.3]",
    ),
    Mutant(
        "determinants the wrong way round",
        OBJECTIVES,
        "halves[1] - halves[0]",
        "halves[0] - halves[1]",
        f"{FORMULAS}_general_gaussian_kl_by_hand",
    ),
    Mutant(
        "spread by the wrong covariance",
        OBJECTIVES,
        "solve_triangular(root_1, root_0,",
        "solve_triangular(root_0, root_1,",
        f"{FORMULAS}_general_gaussian_kl_is_torchs_for_every_pair_of_a_batch",
    ),
    Mutant(
        "sum of importance weights",
        OBJECTIVES,
        " - math.log(nll.shape[-1])",
        "",
        f"{FORMULAS}_importance_bound_by_hand_with_two_samples[1.0]",
    ),
    Mutant(
        "mean of the logs of importance weights",
        OBJECTIVES,
        "torch.logsumexp(beta[..., None] * ratio - nll, -1) - math.log(nll.shape[-1])",
        "(beta[..., None] * ratio - nll).mean(-1)",
        f"{FORMULAS}_elbo_below_importance_bounds_that_rise_with_k_below_the_evidence",
    ),
    Mutant(
        "q / p for p / q",
        OBJECTIVES,
        "* ratio - nll",
        "* -ratio - nll",
        f"{FORMULAS}_importance_bound_by_hand_with_one_sample",
    ),
    Mutant(
        "KL from the activation to the target",
        OBJECTIVES,
        "(target * (target / mean).log()",
        "(mean * (mean / target).log()",
        f"{FORMULAS}_activation_kl_by_hand",
    ),
    Mutant("L2 for L1", OBJECTIVES, "h.abs().sum(-1)", "h.square().sum(-1)", f"{FORMULAS}_l1_by_hand"),
    Mutant(
        "square of a row's sum",
        OBJECTIVES,
        "weight.square().sum(1)",
        "weight.sum(1).square()",
        f"{FORMULAS}_layer_contraction_by_hand",
    ),
    Mutant(
        "norm without its square",
        OBJECTIVES,
        "rows.square().sum((-1, -2))",
        "rows.square().sum((-1, -2)).sqrt()",
        f"{FORMULAS}_squared_norm_by_hand",
    ),
    # Corruptions
    Mutant(
        "salt without pepper",
        CORRUPTIONS,
        "(1 - keep) * salt",
        "(1 - keep)",
        f"{FORMULAS}_salt_and_pepper_share_evenly",
    ),
    Mutant(
        "dropout without its factor",
        CORRUPTIONS,
        "return keep / (1 - level), add",
        "return keep, add",
        f"{FORMULAS}_dropout_is_masking_and_the_rest_brighter_so_that_the_mean_stays",
    ),
    Mutant(
        "a subset rounded down",
        CORRUPTIONS,
        "rank >= round(level * d)",
        "rank >= int(level * d)",
        f"{FORMULAS}_subset_masking_zeroes_as_many_pixels_in_every_image[0.38-4]",
    ),
    # Layers and the vanilla autoencoder
    Mutant(
        "a slope without its square",
        LAYERS,
        "1 - torch.tanh(z).square()",
        "1 - torch.tanh(z)",
        f"{LIMITS}_slopes_are_autograds[tanh]",
    ),
    Mutant(
        "a slope of the activation for one of the pre-activation",
        LAYERS,
        "slopes.append(SLOPES[name](z))",
        "slopes.append(SLOPES[name](x))",
        f"{LIMITS}_the_pullback_through_a_deep_encoder_is_autograds_jacobian[tanh-sigmoid]",
    ),
    Mutant(
        "a Jacobian of linear layers",
        LAYERS,
        "(rows * slope[:, None]) @ layer.weight",
        "rows @ layer.weight",
        f"{LIMITS}_the_closed_form_is_the_exact_one_is_autograds[sigmoid]",
    ),
    Mutant(
        "a start by the wrong fan",
        LAYERS,
        "-(layer.in_features**-0.5), layer.in_features**-0.5",
        "-(layer.out_features**-0.5), layer.out_features**-0.5",
        f"{LIMITS}_a_uniform_start_fills_its_range_in_encoder_and_decoder_and_no_more",
    ),
    Mutant(
        "a decoder that starts as it likes",
        VANILLA,
        "Dense(*mirrored, params.start)",
        "Dense(*mirrored)",
        f"{LIMITS}_a_uniform_start_fills_its_range_in_encoder_and_decoder_and_no_more",
    ),
    Mutant(
        "tied weights not transposed in order",
        LAYERS,
        "reversed(encoder.layers[1:])",
        "encoder.layers[1:]",
        f"{LIMITS}_a_deep_tied_decoder_mirrors_its_encoder",
    ),
    Mutant(
        "a sigmoid twice",
        VANILLA,
        "objectives.bernoulli_nll(x, self.logits(h))",
        "objectives.bernoulli_nll(x, self.decode(h))",
        f"{LIMITS}_logistic_pca_is_a_linear_code_with_a_logistic_output",
    ),
    Mutant(
        "components of the uncentred images",
        PCA,
        "x = x - mean",
        "x = x + 0",
        f"{LIMITS}_pca_keeps_the_error_of_the_discarded_eigenvalues",
    ),
    # Denoising, sparse, contractive
    Mutant(
        "corruption that grows instead of falling",
        DENOISING,
        "start + progress * (end - start)",
        "end + progress * (start - end)",
        f"{LIMITS}_corruption_goes_from_its_initial_level_to_its_last_in_a_straight_line[0.0-0.8]",
    ),
    Mutant(
        "a schedule that is not drawn from",
        DENOISING,
        "self.level(progress), generator",
        "self.params.corruption, generator",
        f"{LIMITS}_corruption_goes_from_its_initial_level_to_its_last_in_a_straight_line[0.5-0.5]",
    ),
    Mutant(
        "a sparse penalty without its weight",
        SPARSE,
        "self.params.weight * objectives.activation_kl",
        "objectives.activation_kl",
        f"{LIMITS}_sparse_with_weight_0_is_vanilla_bit_for_bit[sparse]",
    ),
    Mutant(
        "L1 summed over the batch",
        SPARSE,
        "objectives.l1(h).mean()",
        "objectives.l1(h).sum()",
        f"{LIMITS}_sparsity_is_weighed_and_comes_beside_the_reconstruction_of_vanilla",
    ),
    Mutant(
        "probes that are not signs",
        CONTRACTIVE,
        "torch.randint(2, shape",
        "torch.randint(3, shape",
        f"{LIMITS}_hutchinsons_probes_are_signs_drawn_afresh_for_every_image",
    ),
    Mutant(
        "a free decoder by default",
        CONTRACTIVE,
        "tied: bool = True",
        "tied: bool = False",
        f"{LIMITS}_a_free_decoder_can_cheat_the_penalty_and_a_tied_one_cannot",
    ),
    # Stacked
    Mutant(
        "pretraining thrown away",
        STACKED,
        'ensemble.load(part.state, f"layers.{i}.")',
        "pass",
        f"{LIMITS}_pretraining_a_layer_leaves_those_below_as_they_are_and_fine_tuning_starts_from_all",
    ),
    Mutant(
        "pre-activations passed up",
        ENSEMBLE,
        'replica("encode", rows)',
        'replica("encoder", rows)',
        f"{LIMITS}_clean_codes_are_passed_up_each_seed_its_own",
    ),
    Mutant(
        "one seed's codes for all",
        STACKED,
        "Images(part.codes(images.train),",
        "Images(part.codes(images.train)[:1].repeat(len(part.seeds), 1, 1),",
        f"{LIMITS}_clean_codes_are_passed_up_each_seed_its_own",
    ),
    Mutant(
        "decoders in the encoders' order",
        STACKED,
        "reversed(self.layers[down_to:])",
        "self.layers[down_to:]",
        f"{LIMITS}_fine_tuning_is_by_the_error_of_the_image_through_all_layers_in_order",
    ),
    Mutant(
        "the first decoder twice",
        STACKED,
        "self.decode(self.encode(x), down_to=1)",
        "self.decode(self.encode(x))",
        f"{LIMITS}_fine_tuning_is_by_the_error_of_the_image_through_all_layers_in_order",
    ),
    Mutant(
        "one setting for all layers",
        STACKED,
        "self.layers[i].params.training",
        "{}",
        f"{LIMITS}_a_layers_settings_are_of_its_pretraining_and_not_of_fine_tuning",
    ),
    # Variational, classifier
    Mutant(
        "variance for deviation in the sample",
        VARIATIONAL,
        "(log_variance / 2).exp()[:, None] * epsilon",
        "log_variance.exp()[:, None] * epsilon",
        f"{LIMITS}_codes_are_drawn_from_q_and_the_code_is_its_mean",
    ),
    Mutant(
        "one sample for the whole batch",
        VARIATIONAL,
        "torch.randn(n, self.params.samples, self.code,",
        "torch.randn(1, self.params.samples, self.code,",
        f"{LIMITS}_samples_differ_by_image_by_k_and_by_seed",
    ),
    Mutant(
        "the code is log σ²",
        "aebench/models/base.py",
        "return self.posterior(x)[0]",
        "return self.posterior(x)[1]",
        f"{LIMITS}_codes_are_drawn_from_q_and_the_code_is_its_mean",
    ),
    Mutant(
        "β on everything",
        VARIATIONAL,
        '"reconstruction": nll.mean()',
        '"reconstruction": (beta * nll.mean(1)).mean()',
        f"{LIMITS}_beta_weighs_the_divergence_and_nothing_else",
    ),
    Mutant(
        "the printed β is not the one used",
        VARIATIONAL,
        '"effective beta": params.beta',
        '"effective beta": 1.0',
        f"{LIMITS}_the_effective_beta_is_the_one_that_is_printed[0.25]",
    ),
    Mutant(
        "a warm-up that never ends",
        VARIATIONAL,
        "min(1.0, progress / self.params.warm_up)",
        "progress",
        f"{LIMITS}_beta_rises_from_0_in_a_straight_line_while_it_warms_up[0.5-2.0]",
    ),
    Mutant(
        "a learnt variance that is not a weight",
        VARIATIONAL,
        "nn.Parameter(torch.tensor(math.log(0.5))) if learnt",
        "math.log(0.5) if learnt",
        f"{LIMITS}_a_fixed_variance_is_no_weight",
    ),
    Mutant(
        "the importance weighted bound as a loss",
        VARIATIONAL,
        "-objectives.importance_bound",
        "objectives.importance_bound",
        f"{LIMITS}_a_linear_gaussian_vae_is_probabilistic_pca_and_its_bound_is_tight[iwae]",
    ),
    Mutant(
        "a head that knows something",
        CLASSIFIER,
        "nn.init.zeros_(self.head.weight)",
        "nn.init.xavier_uniform_(self.head.weight)",
        f"{LIMITS}_a_classifier_starts_with_every_class_equally_likely[10]",
    ),
    Mutant(
        "cross-entropy averaged over classes",
        CLASSIFIER,
        ".sum(1).mean()",
        ".mean()",
        f"{LIMITS}_the_cross_entropy_is_torchs",
    ),
    Mutant(
        "a frozen encoder",
        CLASSIFIER,
        "self.head(self.encoder.encode(x))",
        "self.head(self.encoder.encode(x).detach())",
        f"{LIMITS}_a_classifier_trains_its_encoder_and_leaves_the_decoder",
    ),
    # The engine
    Mutant(
        "start drawn from the global generator",
        "aebench/randomness.py",
        "with torch.random.fork_rng(devices=[]):",
        "if True:",
        f"{LAWS}_the_start_does_not_touch_the_global_generator[vanilla]",
    ),
    Mutant(
        "one seed's noise for all",
        ENSEMBLE,
        "self.model.draw(n, generator, progress) for",
        "self.model.draw(n, generators[0], progress) for",
        f"{LAWS}_seed_s_among_many_is_seed_s_alone_bit_for_bit[denoising]",
    ),
    Mutant(
        "weights not padded to vector registers",
        ENSEMBLE,
        "LANES = 16",
        "LANES = 1",
        f"{LAWS}_every_tensor_of_a_replica_starts_a_vector_register",
    ),
    Mutant(
        "another seed's images after one has stopped",
        MINIMISE,
        "x[torch.tensor(self.active, device=x.device)",
        "x[torch.arange(len(self.active), device=x.device)",
        f"{LAWS}_every_seed_is_trained_on_images_of_its_own_also_after_another_has_stopped",
    ),
    Mutant(
        "another seed's moments after one has stopped",
        MINIMISE,
        "{k: v[positions] if v.ndim",
        "{k: v[: len(positions)] if v.ndim",
        f"{LAWS}_every_seed_is_trained_on_images_of_its_own_also_after_another_has_stopped",
    ),
    Mutant(
        "the first epoch where nothing validates",
        MINIMISE,
        "else -self.epoch)",
        "else 0)",
        f"{LAWS}_without_validation_images_the_last_epoch_is_kept",
    ),
    Mutant(
        "progress one epoch ahead",
        MINIMISE,
        "self.epoch / self.settings.epochs\n        order",
        "(self.epoch + 1) / self.settings.epochs\n        order",
        f"{LAWS}_every_epoch_draws_at_its_share_of_the_training_and_validation_at_the_end",
    ),
    Mutant(
        "the ragged last batch dropped",
        MINIMISE,
        "split(self.settings.batch_size, dim=1):",
        "split(self.settings.batch_size, dim=1)[:-1]:",
        f"{LAWS}_every_image_is_seen_once_an_epoch",
    ),
    Mutant(
        "the last epoch instead of the best",
        MINIMISE,
        "better = (losses < self.best_loss[self.active])",
        "better = (losses < math.inf)",
        f"{LAWS}_the_best_epoch_on_validation_is_kept_and_patience_stops_each_seed_alone",
    ),
    # Metrics and statistics
    Mutant(
        "one neighbour too many",
        "aebench/metrics/neighbours.py",
        "majority(votes[:, :k]) == labels",
        "majority(votes[:, : k + 1]) == labels",
        "test_metrics.py::test_knn_agrees_with_scikit_learn",
    ),
    Mutant(
        "distances lose digits",
        "aebench/representation/search.py",
        "(d + 8) * epsilon",
        "0 * epsilon",
        "test_neighbours.py::test_a_query_is_sure_only_where_the_rows_left_out_are_farther_than_rounding",
    ),
    Mutant(
        "standard deviation of the population",
        "aebench/statistics.py",
        "sample.std(ddof=1)",
        "sample.std(ddof=0)",
        "test_statistics.py::test_the_interval_is_students",
    ),
    # The house
    Mutant(
        "models import training",
        VANILLA,
        "from aebench import objectives\n",
        "from aebench import objectives\nfrom aebench.training import ensemble\n",
        f"{HOUSE}_imports_go_down_the_floors",
    ),
    Mutant(
        "a stage imports mlflow",
        "stages/train.py",
        "import time\n",
        "import time\n\nimport mlflow\n",
        f"{HOUSE}_a_package_is_imported_by_its_owner_alone[mlflow]",
    ),
    Mutant(
        "imports inside functions forgotten",
        "aebench/provenance.py",
        "for node in ast.walk(tree):",
        "for node in tree.body:",
        f"{HOUSE}_a_fingerprint_follows_imports_inside_functions",
    ),
    Mutant(
        "comments retrain",
        "aebench/provenance.py",
        "node.body = node.body[1:]",
        "pass",
        f"{HOUSE}_a_fingerprint_changes_with_code_not_with_comments_or_tables",
    ),
    Mutant(
        "a branch on a model's name",
        MINIMISE,
        "        train = self._train()",
        '        train = self._train() if self.ensemble.model.params.kind != "pca" else {}',
        f"{HOUSE}_no_branch_on_a_models_name",
    ),
    # What is measured
    Mutant(
        "windows whose variance is biased",
        "aebench/metrics/similarity.py",
        "WINDOW**2 / (WINDOW**2 - 1)",
        "1",
        "test_reconstruction.py::test_structural_similarity_agrees_with_scikit_image[shape0]",
    ),
    Mutant(
        "a sample of the wrong width",
        "aebench/representation/sampled.py",
        "(log_variance / 2).exp()",
        "log_variance.exp()",
        "test_reconstruction.py::test_a_sample_of_the_posterior_is_decoded_for_each_image",
    ),
    Mutant(
        "variance over all pixels together",
        "aebench/metrics/reconstruction.py",
        ".var(0, correction=0).sum()",
        ".var(correction=0) * images.shape[1]",
        "test_reconstruction.py::test_the_mean_image_leaves_all_of_the_variance_and_noise_leaves_twice",
    ),
    Mutant(
        "permuted images that are not permuted",
        "aebench/representation/strange.py",
        "[:, order]",
        "",
        "test_copying.py::test_a_subspace_learnt_from_images_returns_them_and_not_their_permutations",
    ),
    Mutant(
        "cells fitted to validation codes",
        "aebench/representation/quantised.py",
        "view.reference_codes[: -view.validation], levels",
        "view.reference_codes, levels",
        "test_compression.py::test_neither_validation_nor_test_images_move_the_cells",
    ),
    Mutant(
        "bits chosen on test images",
        "aebench/metrics/compression.py",
        "    validation = r.quantised.validation\n    enough",
        "    validation = r.quantised.test\n    enough",
        "test_compression.py::test_levels_are_chosen_on_validation_and_told_of_test_images",
    ),
    Mutant(
        "precision by the samples' own reach",
        "aebench/fidelity.py",
        "(distances <= manifold[:, None]).any(0)",
        "(distances <= reach).any(0)",
        "test_generation.py::test_adversarial_samples_far_beyond_the_images_are_found_by_recall_and_not_by_precision",
    ),
    Mutant(
        "an image is its own nearest neighbour",
        "aebench/fidelity.py",
        "[:, [K_MANIFOLD, K_DENSITY]].T",
        "[:, [K_MANIFOLD - 1, K_DENSITY - 1]].T",
        "test_generation.py::test_precision_recall_density_and_coverage_are_the_published_ones[60-60-0.0]",
    ),
    Mutant(
        "samplers fitted to validation codes",
        "aebench/representation/generation.py",
        "    codes = view.reference_codes[: -view.validation]",
        "    codes = view.reference_codes",
        "test_generation.py::test_only_training_images_are_fitted",
    ),
    Mutant(
        "a judge that reads test images",
        "stages/judge.py",
        '("train", "validation")',
        '("train", "test")',
        "test_judge.py::test_the_stage_needs_no_test_image_and_makes_what_the_parameters_say",
    ),
    Mutant(
        "weights averaged in logarithms",
        "aebench/metrics/density.py",
        "groups.logsumexp(2) - math.log(samples)",
        "groups.mean(2)",
        "test_density.py::test_weights_are_averaged_in_probability_not_in_logarithms",
    ),
    Mutant(
        "weights without the posterior's volume",
        "aebench/representation/density.py",
        "noise.square() + log_variance[:, None] - z.square()",
        "noise.square() - z.square()",
        "test_density.py::test_elbo_below_iwae_below_the_evidence_with_a_wrong_posterior",
    ),
    Mutant(
        "a map whose spaces are exchanged",
        "aebench/metrics/embedding.py",
        "strangers += _excess(here, there, k)",
        "strangers += _excess(there, here, k)",
        "test_embedding.py::test_a_map_that_tears_a_cluster_is_trustworthy_and_not_continuous",
    ),
    Mutant(
        "units' unevenness for images'",
        "aebench/metrics/sparsity.py",
        "_unevenness(r.codes.T)",
        "_unevenness(r.codes)",
        "test_sparsity.py::test_adversarial_one_unit_always_on_is_sparse_for_images_and_not_for_units",
    ),
    Mutant(
        "another saturation than Rifai's",
        "aebench/metrics/contraction.py",
        "slopes < SATURATED * steepest",
        "slopes < 0.05 * steepest",
        "test_contraction.py::test_of_a_sigmoid_layer_saturation_is_rifais_share_below_5_or_above_95_percent[5]",
    ),
    Mutant(
        "squares that never reach the last row",
        "aebench/representation/degraded.py",
        "(side - size + 1)",
        "(side - size)",
        "test_robustness.py::test_degraded_digits_are_those_of_the_record[occlusion]",
    ),
    Mutant(
        "levels that are not equally far apart",
        "aebench/metrics/robustness.py",
        "np.trapezoid(heights, levels) / levels[-1]",
        "np.mean(heights)",
        "test_robustness.py::test_adversarial_codes_that_degrade_into_another_class_lose_what_the_trapezia_say",
    ),
    Mutant(
        "a penalty chosen on test images",
        "aebench/downstream.py",
        "fit(train, validation, axes",
        "fit(train, test, axes",
        "test_downstream.py::test_the_choice_never_sees_a_test_image",
    ),
    Mutant(
        "few labels, chosen with all of validation",
        "aebench/downstream.py",
        "len(part) / len(train.labels), seed",
        "1.0, seed",
        "test_downstream.py::test_one_label_a_class_is_chosen_for_on_as_many_of_validation",
    ),
    Mutant(
        "the weakest penalty of equals",
        "aebench/downstream.py",
        "sorted(penalties, reverse=True)",
        "sorted(penalties)",
        "test_downstream.py::test_the_strongest_penalty_of_equals_is_chosen",
    ),
    Mutant(
        "codes standardised by those of the test images",
        "aebench/downstream.py",
        "principal(view.reference_codes[:n])",
        "principal(view.codes)",
        "test_downstream.py::test_codes_are_standardised_by_those_of_training_whatever_else_is_among_the_test_images",
    ),
    Mutant(
        "an intercept that is penalised",
        "aebench/logistic.py",
        "decay = pad(torch.full_like(self.spread, penalty), (0, 1))",
        "decay = pad(torch.full_like(self.spread, penalty), (0, 1), value=penalty)",
        "test_downstream.py::test_it_has_the_optimum_of_scikit_learn",
    ),
    Mutant(
        "half a penalty",
        "aebench/logistic.py",
        "torch.full_like(self.spread, penalty)",
        "torch.full_like(self.spread, penalty / 2)",
        "test_downstream.py::test_it_has_the_optimum_of_scikit_learn",
    ),
    Mutant(
        "a stage that failed, taken for one that did not",
        "aebench/warm.py",
        "client.sendall(bytes([status]))",
        "client.sendall(bytes([0]))",
        "test_warm.py::test_its_exit_status_is_passed_on",
    ),
    Mutant(
        "p that know nothing of the other pairs",
        "aebench/statistics.py",
        'multipletests([_p(values) for values in pairs.values()], method="holm")[1]',
        "[_p(values) for values in pairs.values()]",
        "test_statistics.py::test_holm_by_hand",
    ),
    Mutant(
        "seeds that are not paired",
        "aebench/statistics.py",
        "np.broadcast_arrays(samples[a], samples[b])",
        "np.broadcast_arrays(samples[a], np.sort(samples[b]))",
        "test_statistics.py::test_a_pair_is_scipys_paired_t_test",
    ),
    Mutant(
        "the worst in bold",
        "aebench/statistics.py",
        '{"lower": 1, "higher": -1}',
        '{"lower": -1, "higher": 1}',
        "test_statistics.py::test_the_best_group_is_the_best_and_what_ties_with_it",
    ),
    Mutant(
        "a claim supported by its mean alone",
        CLAIMS,
        "if least < low and high < most:",
        "if least < effect.mean < most:",
        "test_claims.py::test_an_interval_inside_supports_and_one_outside_refutes",
    ),
    Mutant(
        "one seed decides a claim",
        CLAIMS,
        "if effect.n == 1 and not all",
        "if effect.n == 0 and not all",
        "test_claims.py::test_one_seed_of_a_random_model_decides_nothing",
    ),
    Mutant(
        "one test of a claim is enough",
        CLAIMS,
        "VERDICTS = (REFUTED, NOT_TESTED, UNDECIDED, SUPPORTED)",
        "VERDICTS = (SUPPORTED, REFUTED, NOT_TESTED, UNDECIDED)",
        "test_claims.py::test_a_claim_of_several_tests_needs_them_all",
    ),
    Mutant(
        "an effect without its subtrahend",
        CLAIMS,
        " - sum((found[name] for name in test.minus), np.zeros(1))",
        " - np.zeros(1)",
        "test_claims.py::test_an_effect_is_taken_seed_by_seed_before_its_interval",
    ),
    Mutant(
        "a verdict that is always the same",
        CLAIMS,
        "return Finding(test, effect, outcome(effect, test.above, test.below))",
        "return Finding(test, effect, SUPPORTED)",
        "test_claims.py::test_a_broken_model_loses_its_claim",
    ),
    Mutant(
        "an aggregate posterior without its spread",
        "aebench/metrics/density.py",
        " + torch.diag(r.density.spread)",
        "",
        "test_density.py::test_an_aggregate_posterior_that_is_the_prior_has_no_divergence_from_it",
    ),
    Mutant(
        "codes of all sizes compete",
        "aebench/reporting/results.py",
        "groups.setdefault(row.cost.code, {})",
        "groups.setdefault(0, {})",
        "test_reporting.py::test_the_best_of_a_code_size_and_what_ties_with_it_is_bold_in_every_table",
    ),
    Mutant(
        "verification believes every file of code",
        "aebench/verification/code.py",
        "if md5 != now[path].md5:",
        "if False:",
        "test_verification.py::test_an_edited_loss_makes_its_rows_stale_and_names_training",
    ),
    Mutant(
        "verification forgets which weights were measured",
        "aebench/verification/chain.py",
        '            if last != md5:\n                reason = f"{entry.stage}',
        '            if last == md5:\n                reason = f"{entry.stage}',
        "test_verification.py::test_weights_that_were_trained_again_but_not_measured_are_mixed",
    ),
    Mutant(
        "verification passes over a parameter that is gone",
        "aebench/verification/parameters.py",
        "for name in {**was, **now}:",
        "for name in now:",
        "test_verification.py::test_a_changed_parameter_is_told_with_the_rows_that_it_concerns",
    ),
    Mutant(
        "verification believes a table edited by hand",
        "aebench/verification/files.py",
        "(found := checksum(Path(path))) != md5",
        "not (found := checksum(Path(path)))",
        "test_verification.py::test_a_table_edited_by_hand_is_named",
    ),
    Mutant(
        "a paper's commented-out number counts",
        "aebench/verification/paper.py",
        r'text = COMMENT.sub(r"\1", ',
        "text = str(",
        "test_verification.py::test_a_paper_that_quotes_what_is_there_is_verified",
    ),
    Mutant(
        "what lies beside a report is forgotten when more joins it",
        "aebench/lock.py",
        "_stages(beside(dataset)) | theirs}",
        "theirs}",
        "test_lock.py::test_rows_that_lie_beside_a_report_stay_when_others_join_them",
    ),
    Mutant(
        "an old entry hides a new one",
        "aebench/lock.py",
        "{**brought, **kept}",
        "{**kept, **brought}",
        "test_lock.py::test_what_dvc_lock_says_is_later",
    ),
    Mutant(
        "seconds change the fingerprint of the lock",
        "aebench/lock.py",
        ".name not in TIMED}",
        ".name}",
        "test_lock.py::test_the_fingerprint_changes_with_results_not_with_seconds",
    ),
    Mutant(
        "a resumed training tells the seconds since",
        "aebench/training/checkpoint.py",
        "seconds = descent.earlier + ",
        "seconds = ",
        "test_resume.py::test_the_seconds_of_killed_processes_are_counted",
    ),
    Mutant(
        "a resumed history in another order",
        "aebench/training/checkpoint.py",
        "for name in terms}",
        "for name in sorted(terms)}",
        "test_resume.py::test_also_after_some_seeds_have_stopped",
    ),
]


def copy(folder: Path) -> Path:
    """What fast tests need of the project."""
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, folder / part)
    return folder


class Red:
    """A plugin of pytest that notes what fails."""

    def __init__(self):
        self.tests: list[str] = []

    def pytest_runtest_logreport(self, report) -> None:
        self.tests += [report.nodeid.removeprefix("tests/")] * report.failed


def warm() -> None:
    """Import what most tests import, and nothing of the project: a forked process need not, which is most of its time."""
    import pytest  # noqa: F401
    import scipy.stats  # noqa: F401
    import torch

    torch.set_num_threads(1)
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])


def run(folder: Path, *tests: str) -> tuple[int, list[str]]:
    """Pytest's exit status and what is red, with the copy's own `aebench`; for a process of its own, which it takes over."""
    import pytest

    os.chdir(folder)
    os.environ["PYTHONPATH"] = str(folder)
    sys.path[:] = [str(folder), *(path for path in sys.path if path not in (str(ROOT), str(ROOT / "tests")))]
    sys.modules.pop("project")
    sys.dont_write_bytecode = True
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    red = Red()
    return int(pytest.main(["-q", "-p", "no:cacheprovider", *(f"tests/{test}" for test in tests)], [red])), red.tests


def survives(mutant: Mutant) -> bool:
    """Whether the test that must notice does not fail; one that cannot run has noticed nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = clone(Path(name)).folder if mutant.slow else copy(Path(name))
        mutant.put_into(folder)
        return run(folder, mutant.test)[0] != 1


def red_without_a_mistake(tests: list[str]) -> list[str]:
    """Which of these fail on the project as it is: they would notice anything."""
    if not tests:
        return []
    with tempfile.TemporaryDirectory() as name:
        status, red = run(copy(Path(name)), *tests)
    if status > 1:
        raise RuntimeError(f"the tests do not run without a mistake: pytest ends with {status}")
    return red


def table() -> str:
    """MUTANTS.md: the ten defects first, by number."""

    def code(text: str) -> str:
        return "`" + text.replace("|", "\\|").replace("\n", " ⏎ ").strip() + "`" if text.strip() else "nothing"

    lines = [
        "# Mistakes that a test must notice",
        "",
        "Each is put into a copy of the project by `python tests/mutants.py`, and the named test must go red. Ten of them are",
        "defects of widely read implementations:",
        "",
        *(f"{number}. {text}." for number, text in DEFECTS.items()),
        "",
        "| defect | mistake | file | right | wrong | test that goes red |",
        "|---|---|---|---|---|---|",
    ]
    for m in sorted(MUTANTS, key=lambda m: m.defect or len(DEFECTS) + 1):
        cells = [str(m.defect or ""), m.name, m.file, code(m.right), code(m.wrong), f"`{m.test}`"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def chosen(names: list[str], fast: bool) -> list[Mutant]:
    """The mutants of these names, or all."""
    known = {mutant.name: mutant for mutant in MUTANTS}
    if unknown := set(names) - set(known):
        sys.exit(f"no mutant is named {', '.join(sorted(unknown))}")
    return [known[name] for name in names or known if not (fast and known[name].slow)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if arguments.write:
        TABLE.write_text(table())
        return
    mutants, start, survivors = chosen(arguments.names, arguments.fast), time.monotonic(), 0
    warm()
    with multiprocessing.get_context("fork").Pool(AT_ONCE, maxtasksperchild=1) as pool:
        red = pool.apply(red_without_a_mistake, [sorted({mutant.test for mutant in mutants if not mutant.slow})])
        for mutant, alive in zip(mutants, pool.imap(survives, mutants), strict=True):
            useless = any(test.startswith(mutant.test) for test in red)
            survivors += alive or useless
            verdict = "red always" if useless else "SURVIVED" if alive else "killed"
            print(f"{verdict:10}  {mutant.name}  ({mutant.test})", flush=True)
    print(f"{len(mutants) - survivors} of {len(mutants)} killed in {time.monotonic() - start:.0f} s")
    sys.exit(survivors > 0)


if __name__ == "__main__":
    main()
