"""Networks, flows and integrations far larger than any machine are refused at once, with the field to lower."""

from refusals import refuse

refuse(
    {
        "experiments.nhf --config.hidden_sizes=1000000,1000000": "hidden_sizes",
        "experiments.nhf --config.posterior_sizes=9000000,9000000": "posterior_sizes",
        "experiments.nhf --config.num_links=1000000": "num_links",
        "experiments.nhf --config=four_modes_paper --config.steps_per_link=100000": "steps_per_link",
        "experiments.hgn --config.substeps=100000000": "substeps",
        "experiments.hgn --config.decoder_filters=64,10000000,64": "decoder_filters",
        "experiments.hnn --config.image_size=65536": "image_size",
        "experiments.hnn --config.state_size=1000000000": "state_size",
    }
)
print("OK")
