"""Array records as `tf.data.Dataset`, which TFDS itself does not make: what `tfds.load` needs."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds


def read(
    builder: tfds.core.DatasetBuilder,
    split: Any,
    decoders: Any = None,
    read_config: tfds.ReadConfig | None = None,
    shuffle_files: bool = False,
):
    """Reads a split through its random-access source. Needs TensorFlow, as a `tf.data.Dataset` does.

    Args:
      builder: of a data set that is there, in array records.
      split: a split, a slice or a part of one.
      decoders: None or a `tfds.decode.PartialDecoding`; others are for features that TensorFlow decodes.
      read_config: `shuffle_seed` counts, for nothing else applies.
      shuffle_files: whether to shuffle the examples; there is no need to keep to files.

    Returns:
      The `tf.data.Dataset`.

    Raises:
      ValueError: for decoders that cannot be used.
    """
    import tensorflow as tf

    features = builder.info.features
    if isinstance(decoders, tfds.decode.PartialDecoding):
        features = decoders.extract_features(features)
    elif decoders:
        raise ValueError("array records are decoded without TensorFlow: decoders can only be a PartialDecoding")
    source = builder.as_data_source(split=split, decoders=decoders)

    def examples() -> Iterator[Any]:
        order = np.arange(len(source))
        if shuffle_files:
            np.random.default_rng(read_config.shuffle_seed if read_config else None).shuffle(order)
        for index in order:
            yield source[int(index)]

    dataset = tf.data.Dataset.from_generator(examples, output_signature=features.get_tensor_spec())
    return dataset.apply(tf.data.experimental.assert_cardinality(len(source)))
