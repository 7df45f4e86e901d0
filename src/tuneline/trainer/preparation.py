"""Everything a run needs before its first step: base and data loaded, recommendations filled in, shapes chosen."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax

from tuneline.datasets import read_examples, read_preferences
from tuneline.errors import Problem, UsageError
from tuneline.trainer import base_model, flash
from tuneline.trainer.architecture import Architecture
from tuneline.trainer.base_model import BaseModel
from tuneline.trainer.config import CUT, PREFERENCE, Config, PredictionConfig
from tuneline.trainer.devices import compute_type
from tuneline.trainer.examples import EncodedDataset, encode
from tuneline.trainer.order import examples_of_step
from tuneline.trainer.packing import RowShape, choose_shape
from tuneline.trainer.predictions import default_length

LONGEST_DEFAULT = 4096
"""Tokens of an example where nothing is asked for and the base would take more."""
TYPICAL_STEPS = 64
PREFERENCE_RATE = 0.1
"""The recommended rate of preference tuning, as a share of that of supervised tuning: a pair pulls in both directions,
and the rates of published DPO runs are an order of magnitude below those of the supervised runs before them."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A configuration with nothing left open, and what it names."""

    config: Config
    base: BaseModel
    train: EncodedDataset
    evaluation: EncodedDataset | None
    prediction: EncodedDataset | None
    train_shape: RowShape

    def to_dict(self) -> dict[str, Any]:
        """What a later attempt in the same output must agree with."""
        parts = {"train": self.train, "evaluation": self.evaluation, "prediction": self.prediction}
        digests = {f"{name}_digest": part.digest if part else "" for name, part in parts.items()}
        return {**self.config.to_dict(), "base_digest": self.base.digest, **digests}

    def examples(self, step: int) -> list[Any]:
        """What step `step` (from 0) sees."""
        places = examples_of_step(
            seed=self.config.seed, step=step, batch_size=self.config.batch_size, count=len(self.train.examples)
        )
        return [self.train.examples[place] for place in places]


def prepare(config: Config, *, stand_in: str) -> Run:
    """The run of a configuration.

    Raises:
        UsageError, DatasetError, ServiceError: base or data cannot be used.
    """
    reference = base_model.resolve(config.base_model, stand_in=stand_in)
    base = base_model.load(reference, dtype=compute_type())
    length = longest_example(config, base)
    learned = read_pairs if config.method == PREFERENCE else read_set
    train = learned(config, base, config.train_data)
    evaluation = learned(config, base, config.evaluation_data) if config.evaluation_data else None
    prediction = read_set(config, base, config.prediction_data) if config.prediction_data else None
    filled = dataclasses.replace(
        config,
        learning_rate=config.learning_rate or base.learning_rate * (PREFERENCE_RATE if learned is read_pairs else 1),
        max_length=length,
        max_new_tokens=config.max_new_tokens or default_length(train.examples, most=base.longest_prediction),
    )
    groups = [
        [
            int(train.lengths[place])
            for place in examples_of_step(
                seed=config.seed, step=step, batch_size=config.batch_size, count=len(train.examples)
            )
        ]
        for step in range(min(config.train_steps, TYPICAL_STEPS))
    ]
    return Run(
        config=filled,
        base=base,
        train=train,
        evaluation=evaluation,
        prediction=prediction,
        train_shape=choose_shape(
            groups,
            longest=int(train.lengths.max()),
            **_room(base, training=True),
        ),
    )


def longest_example(config: Config | PredictionConfig, base: BaseModel) -> int:
    """Tokens that an example may have."""
    return min(config.max_length or LONGEST_DEFAULT, base.architecture.context)


def read_set(config: Config | PredictionConfig, base: BaseModel, uri: str) -> EncodedDataset:
    """A dataset of the run as tokens; DatasetError where it cannot be used."""
    examples = read_examples(uri, format=config.format or None, default_context=config.default_context)
    length = longest_example(config, base)
    return _known(encode(examples, base.tokenizer, max_length=length, where=uri, cut_prompts=_cuts(config, base)), base)


def read_pairs(config: Config, base: BaseModel, uri: str) -> EncodedDataset:
    """A preference set of the run as tokens; DatasetError where it cannot be used."""
    from tuneline.trainer.preference import encode_pairs

    pairs = read_preferences(uri, default_context=config.default_context)
    length = longest_example(config, base)
    return _known(
        encode_pairs(pairs, base.tokenizer, max_length=length, where=uri, cut_prompts=_cuts(config, base)), base
    )


def _known(dataset: EncodedDataset, base: BaseModel) -> EncodedDataset:
    """The dataset; UsageError where it has tokens without an embedding, which jax would not notice."""
    largest = max(int(example.tokens.max()) for example in dataset.examples)
    if largest >= base.architecture.vocabulary:
        what = f"its tokenizer writes token {largest}, and the model knows {base.architecture.vocabulary}"
        fix = "the folder's files do not belong together: copy the whole folder of one model"
        raise UsageError([Problem(where=base.tokenizer.where, what=what, fix=fix)])
    return dataset


def _cuts(config: Config | PredictionConfig, base: BaseModel) -> bool:
    # A stand-in's context may be far shorter than that of the model it stands in for, which would skip nothing.
    return base.reference.stand_in or config.long_prompts == CUT


def evaluation_shape(base: BaseModel, parts: Sequence[Sequence[Any]]) -> RowShape:
    """The shape in which a set is scored, part by part."""
    groups = [[len(example.tokens) for example in part] for part in parts]
    return choose_shape(groups, longest=max(map(max, groups)), **_room(base, training=False))


def attention_cost(architecture: Architecture) -> float:
    """Cost of looking back one token as a share of all other work in a token; scores cost three times their
    arithmetic, since they pass through memory."""
    looking = 3 * 4 * architecture.heads * architecture.head_size * architecture.layers
    return looking / (2 * (architecture.parameters + architecture.vocabulary * architecture.width * architecture.tied))


def _room(base: BaseModel, *, training: bool) -> dict[str, Any]:
    """What `choose_shape` has to know of the devices."""
    devices = base.placement.devices
    tokens = devices * (4096 if jax.default_backend() == "cpu" else 16384)
    return {
        "largest": tokens if training else 2 * tokens,
        "attention_cost": attention_cost(base.architecture),
        "devices": devices,
        "unit": flash.TPU_BLOCK if base.placement.kernel == flash.TPU else 0,
    }
