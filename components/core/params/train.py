"""Section `train`: which architectures are trained, and how."""

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
    """`train`: what all architectures share, and a section for each."""

    candidates: Annotated[list[Candidate], Field(min_length=1)] = Field(
        ["textcnn", "bilstm"],
        description="tried in this order until the gate lets one pass: linear, textcnn, bilstm, "
        "transformer, pretrained, ensemble; docs/learning.md says when to choose which",
    )
    target: str = Field(
        "single_label",
        description="how labels are encoded, decided and scored; single_label: a document has one "
        "class",
    )
    embedding: Literal["glove", "random"] = Field(
        "glove", description="glove (6B, 50 dimensions, from its package) or random"
    )
    seed: int = Field(7, description="of first weights, batches and dropout")
    epochs: Positive = Field(30, description="at most; early stopping ends sooner")
    patience: Positive = Field(4, description="epochs without a better validation loss")
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.05, description="share of a label given to all classes; keeps confidences honest"
    )
    answered_accuracy: Share = Field(
        0.985,
        description="accuracy of the answers that are given, on the validation side; the others "
        "are `unsure`; 0: no answer is",
    )
    country_iso_code: Annotated[str, Field(pattern="^[A-Z]{3}$")] = Field(
        "DEU", description="three letters: whose power grid turns kWh into grams of CO2"
    )
    feature_directions: Positive = Field(
        4, description="principal directions of the features, kept for monitoring"
    )
    hardware: Hardware = Field(
        "auto",
        description="auto: the workers that TF_CONFIG names, or all GPUs, or the CPU; cpu, gpu: "
        "one; mirrored: all GPUs of this machine; workers: the machines of TF_CONFIG "
        "(docs/scale.md)",
    )
    fitting: Fitting = Fitting()
    ensemble: Ensemble = Ensemble()

    def architecture(self, name: Single) -> Network:
        """The settings of one architecture that is trained by itself."""
        return getattr(self, name)  # type: ignore[no-any-return]

    def trained(self, name: Candidate) -> list[Single]:
        """The architectures that a candidate is made of."""
        return list(self.ensemble.of) if name == ENSEMBLE else [name]

    def read_by(self, name: Candidate) -> dict[str, Any]:
        """The values that the training of one candidate depends on.

        Other architectures and the list of candidates are left out: turning them must not train
        this candidate again.
        """
        others = {"candidates", *candidates()} - {name, *self.trained(name)}
        return self.model_dump(mode="json", exclude=others)


def section() -> type[TrainBase]:
    """The class of section `train`: TrainBase, and the settings of each registered architecture."""
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
