"""Section `train`: candidates and their training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, create_model

from components.core.params.architectures import (
    ARCHITECTURES,
    ENSEMBLE,
    Candidate,
    Network,
    Single,
    candidates,
)
from components.core.params.architectures.ensemble import Ensemble
from components.core.params.base import Positive, Settings, Share
from components.core.params.fitting import Fitting, Hardware


class TrainBase(Settings):
    """`train`: settings of all architectures, and a section for each."""

    candidates: Annotated[list[Candidate], Field(min_length=1)] = Field(
        ["textcnn", "bilstm"],
        description="architectures, tried in this order until one passes the gate: linear, "
        "textcnn, bilstm, transformer, pretrained, ensemble; docs/learning.md "
        "compares them",
    )
    target: str = Field(
        "single_label",
        description="how labels are encoded, decided and scored; single_label: one class per "
        "document",
    )
    embedding: Literal["glove", "random"] = Field(
        "glove",
        description="initial word vectors: glove (6B, 50 dimensions, from its package) or random",
    )
    seed: int = Field(7, description="seed of initial weights, batches and dropout")
    epochs: Positive = Field(30, description="epochs, at most; early stopping ends sooner")
    patience: Positive = Field(
        4, description="epochs without a better validation loss, before the training stops"
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.05,
        description="share of each label that is spread over all classes; against overconfidence",
    )
    answered_accuracy: Share = Field(
        0.985,
        description="accuracy of the answers that are given, on the validation side; less "
        "confident answers are `unsure`; 0: no answer is `unsure`",
    )
    familiar_share: Share = Field(
        0.99,
        description="share of the validation side whose novelty is at most 1; a text above that is "
        "unlike the texts that the model learned from, and its answer is `unsure`",
    )
    country_iso_code: Annotated[str, Field(pattern="^[A-Z]{3}$")] = Field(
        "DEU",
        description="country of the power grid, as three letters; converts kWh into grams of CO2",
    )
    feature_directions: Positive = Field(
        4, description="principal components of the features that monitoring tests for drift"
    )
    hardware: Hardware = Field(
        "auto",
        description="auto: the workers in TF_CONFIG, else all GPUs, else the CPU; cpu, gpu: one "
        "device; mirrored: all GPUs of this machine; workers: the machines in "
        "TF_CONFIG (docs/scale.md)",
    )
    fitting: Fitting = Fitting()
    ensemble: Ensemble = Ensemble()

    def architecture(self, name: Single) -> Network:
        """Returns the settings of one architecture."""
        return getattr(self, name)  # type: ignore[no-any-return]

    def trained(self, name: Candidate) -> list[Single]:
        """Returns the architectures of a candidate: the members of an ensemble, else itself."""
        return list(self.ensemble.of) if name == ENSEMBLE else [name]

    def read_by(self, name: Candidate) -> dict[str, Any]:
        """Returns the values that the training of one candidate depends on.

        Other architectures and the list of candidates are left out: a change of them must not
        train this candidate again.
        """
        others = {"candidates", *candidates()} - {name, *self.trained(name)}
        return self.model_dump(mode="json", exclude=others)


def section() -> type[TrainBase]:
    """Builds the class of section `train`: TrainBase and each registered architecture."""
    fields: dict[str, Any] = {
        name: (kind, kind.model_validate({})) for name, kind in ARCHITECTURES.items()
    }
    return create_model(
        "Train", __base__=TrainBase, __doc__=TrainBase.__doc__, __module__=__name__, **fields
    )


if TYPE_CHECKING:  # the sections of the architectures are known at run time only
    Train = TrainBase
else:
    Train = section()
