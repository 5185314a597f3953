"""Array records as a `tf.data.Dataset`, which `tfds.load` returns and TFDS itself cannot make of them."""

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
    """Reads a split through its random-access source. Needs TensorFlow.

    Args:
      builder: Builder of an existing data set in array records.
      split: A split, a slice of a split or a part from `tfds.even_splits`.
      decoders: None or a `tfds.decode.PartialDecoding`; other decoders need TensorFlow's own decoding.
      read_config: Settings, of which only `shuffle_seed` applies.
      shuffle_files: Whether to shuffle the examples, across files too.

    Returns:
      The `tf.data.Dataset`.

    Raises:
      ValueError: For decoders that cannot be used.
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
