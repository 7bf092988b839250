"""Put known mistakes into a copy of the project, one at a time, and see a test go red for each: `python tests/mutants.py`.

A mutant is (file, right, wrong, the test that must notice). Several are mistakes of widely read implementations.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from project import clone

TRAINING, MODELS = "aebench/training", "aebench/models"
MUTANTS = {
    "target is the noisy image": (
        f"{MODELS}/denoising.py",
        "self.reconstruction(x, self",
        "self.reconstruction(corrupt(x, noise), self",
        "test_laws.py::test_denoising_asks_for_the_clean_image_not_the_noisy_one",
    ),
    "error averaged over pixels": (
        "aebench/objectives.py",
        "(x - x_hat).square().sum(-1).mean()",
        "(x - x_hat).square().mean()",
        "test_formulas.py::test_squared_error_by_hand",
    ),
    "sign of a log": (
        "aebench/objectives.py",
        "- x * logits",
        "+ x * logits",
        "test_formulas.py::test_bernoulli_by_hand",
    ),
    "salt without pepper": (
        "aebench/corruptions.py",
        "(1 - keep) * salt",
        "(1 - keep)",
        "test_formulas.py::test_salt_and_pepper_share_evenly",
    ),
    "seed set after the model was built": (
        f"{TRAINING}/ensemble.py",
        "with Streams(seed).initialising():",
        "with Streams(0).initialising():",
        "test_laws.py::test_the_seed_decides_the_start",
    ),
    "training ignores the seed": (
        f"{TRAINING}/ensemble.py",
        "[Streams(seed).torch(stream, step, self.device) for",
        "[Streams(0).torch(stream, step, self.device) for",
        "test_laws.py::test_the_seed_decides_the_training_even_from_equal_starts",
    ),
    "start drawn from the global generator": (
        "aebench/randomness.py",
        "with torch.random.fork_rng(devices=[]):",
        "if True:",
        "test_laws.py::test_the_start_does_not_touch_the_global_generator",
    ),
    "one seed's noise for all": (
        f"{TRAINING}/ensemble.py",
        "self.model.draw(n, generator) for generator in generators",
        "self.model.draw(n, generators[0]) for generator in generators",
        "test_laws.py::test_seed_s_among_many_is_seed_s_alone_bit_for_bit",
    ),
    "weights not padded to vector registers": (
        f"{TRAINING}/ensemble.py",
        "LANES = 16",
        "LANES = 1",
        "test_laws.py::test_seed_s_among_many_is_seed_s_alone_bit_for_bit",
    ),
    "a mean of batch means": (
        f"{TRAINING}/minimise.py",
        "sums[name] = sums.get(name, 0) + n * values.detach()",
        "sums[name] = sums.get(name, 0) + 28 * values.detach()",
        "test_laws.py::test_ragged_batches_and_validation_blocks_count_by_their_size",
    ),
    "the ragged last batch dropped": (
        f"{TRAINING}/minimise.py",
        "split(self.settings.batch_size, dim=1):",
        "split(self.settings.batch_size, dim=1)[:-1]:",
        "test_laws.py::test_every_image_is_seen_once_an_epoch",
    ),
    "the last epoch instead of the best": (
        f"{TRAINING}/minimise.py",
        "better = (losses < self.best_loss[self.active])",
        "better = (losses < math.inf)",
        "test_laws.py::test_the_best_epoch_on_validation_is_kept_and_patience_stops_each_seed_alone",
    ),
    "validation with training's noise": (
        f"{TRAINING}/minimise.py",
        'self.ensemble.generators("validation")',
        'self.ensemble.generators("noise", self.epoch)',
        "test_laws.py::test_validation_uses_the_same_noise_at_every_epoch",
    ),
    "optimiser saved and never loaded": (
        f"{TRAINING}/checkpoint.py",
        "descent.optimiser.state[descent.ensemble.weights] = moments",
        "pass",
        "test_resume.py::test_interrupted_and_resumed_is_bit_for_bit_uninterrupted",
    ),
    "resume ignores what is resumed": (
        f"{TRAINING}/checkpoint.py",
        'if facts.get("identity") != self.identity:',
        "if False:",
        "test_resume.py::test_a_checkpoint_of_another_training_is_not_resumed",
    ),
    "components of the uncentred images": (
        f"{MODELS}/pca.py",
        "x = x - mean",
        "x = x + 0",
        "test_laws.py::test_pca_keeps_the_error_of_the_discarded_eigenvalues",
    ),
    "tied weights not transposed in order": (
        f"{MODELS}/layers.py",
        "reversed(encoder.layers[1:])",
        "encoder.layers[1:]",
        "test_laws.py::test_a_deep_tied_decoder_mirrors_its_encoder",
    ),
    "one neighbour too many": (
        "aebench/metrics/neighbours.py",
        "r.reference_labels[_nearest(r)[:, :k]]",
        "r.reference_labels[_nearest(r)[:, : k + 1]]",
        "test_metrics.py::test_knn_agrees_with_scikit_learn",
    ),
    "distances lose digits": (
        "aebench/metrics/neighbours.py",
        "centre = reference.to(kind).mean(0)",
        "centre = 0",
        "test_metrics.py::test_knn_agrees_with_scikit_learn",
    ),
    "standard deviation of the population": (
        "aebench/statistics.py",
        "ddof=1",
        "ddof=0",
        "test_statistics.py::test_the_interval_is_students",
    ),
    "models import training": (
        f"{MODELS}/vanilla.py",
        "from aebench import objectives",
        "from aebench import objectives\nfrom aebench.training import ensemble",
        "test_architecture.py::test_imports_go_down_the_floors",
    ),
    "a stage imports mlflow": (
        "stages/train.py",
        "import torch",
        "import mlflow\nimport torch",
        "test_architecture.py::test_a_package_is_imported_by_its_owner_alone",
    ),
    "imports inside functions forgotten": (
        "aebench/provenance.py",
        "for node in ast.walk(tree):",
        "for node in tree.body:",
        "test_architecture.py::test_a_fingerprint_follows_imports_inside_functions",
    ),
    "comments retrain": (
        "aebench/provenance.py",
        "node.body = node.body[1:]",
        "pass",
        "test_architecture.py::test_a_fingerprint_changes_with_code_not_with_comments_or_tables",
    ),
    "a branch on a model's name": (
        f"{TRAINING}/minimise.py",
        "        train = self._train()",
        '        train = self._train() if self.ensemble.model.params.kind != "pca" else {}',
        "test_architecture.py::test_no_branch_on_a_models_name",
    ),
    "training reads test images": (
        "dvc.yaml",
        "      - data/${item.dataset}/about.json\n    params:\n      - suite.seeds",
        "      - data/${item.dataset}/test.npz\n    params:\n      - suite.seeds",
        "test_pipeline.py::test_no_path_leads_from_test_data_into_training",
    ),
}


def survives(mutant: tuple[str, str, str, str]) -> bool:
    """Whether the test that must notice does not fail; one that cannot run has noticed nothing."""
    file, right, wrong, test = mutant
    with tempfile.TemporaryDirectory() as folder:
        project = clone(Path(folder))
        project.replace(file, right, wrong)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"tests/{test}"]
        done = subprocess.run(command, cwd=folder, env={"PYTHONPATH": folder, "PATH": "/usr/bin:/bin"}, capture_output=True)
        return done.returncode != 1


def main() -> None:
    wanted = sys.argv[1:] or MUTANTS
    survivors = []
    for name in wanted:
        alive = survives(MUTANTS[name])
        print(f"{'SURVIVED' if alive else 'killed  '}  {name}  ({MUTANTS[name][3]})", flush=True)
        survivors += [name] * alive
    sys.exit(f"{len(survivors)} of {len(wanted)} survived" if survivors else 0)


if __name__ == "__main__":
    main()
