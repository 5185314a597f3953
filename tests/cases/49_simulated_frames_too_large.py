"""Simulated frames or clips that exceed the memory are refused, also under a limit that is below the machine's."""

import resource

from refusals import refuse

resource.setrlimit(resource.RLIMIT_DATA, (4 << 30, resource.getrlimit(resource.RLIMIT_DATA)[1]))
BUILD = "data_builders.build mass_spring --config=small --config.num_train=2 --config.num_test=2"
refuse(
    {f"{BUILD} --config.{field}": f"{field} memory 4.3" for field in ("image_size=8192", "num_steps=9999999")}, status=1
)
print("OK")
