"""Seeds that random keys cannot tell apart are refused wherever a seed can be given, with the range of seeds."""

from refusals import refuse

PLACES = {
    "experiments.hgn --config=mass_spring_small --config.training.seed": "training.seed",
    "experiments.hnn --config=pendulum_state --config.training.seed": "training.seed",
    "experiments.nhf --config.training.seed": "training.seed",
    "experiments.nhf --config.evaluation.seed": "evaluation.seed",
    "experiments.nhf --config=iris --config.data.split_seed": "data.split_seed",
    "experiments.sample --workdir=/any --seed": "--seed",
}
refuse(
    {
        f"{command}={seed}": f"{name} {2**32 - 1} {seed}"
        for command, name in PLACES.items()
        for seed in (2**32, 2**63, 10**30, -1)
    }
)
print("OK")
