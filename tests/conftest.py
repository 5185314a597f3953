"""absltest's temporary directories need absl's flags, which pytest does not parse."""

from absl import flags

flags.FLAGS.mark_as_parsed()
