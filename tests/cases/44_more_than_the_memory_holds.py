"""Batches, points and samples that no memory holds are refused before anything is computed, with what to lower."""

from refusals import refuse

refuse(
    {
        "experiments.nhf --config.training.batch_size=1000000000": "memory training.batch_size=1000000000",
        "experiments.nhf --config.evaluation.num_points=100000000000": "memory evaluation.num_points=100000000000",
        "experiments.nhf --config.evaluation.num_samples=1073741824": "memory evaluation.num_samples=1073741824",
        "experiments.nhf --config.objective_samples=100000000": "memory objective_samples=100000000",
        "experiments.hgn --config.evaluation.horizons=100000000,": "memory evaluation.horizons=(100000000,)",
        "experiments.hnn --config.data.num_steps=100000000": "memory data.num_steps=100000000",
    }
)
print("OK")
