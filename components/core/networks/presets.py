"""Pretrained models in the layout of KerasHub's presets or of Hugging Face.

A model is a folder of an installed package or of this machine; nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

from components.core import tables
from components.core.errors import ParamsError
from components.core.params.architectures.pretrained import Pretrained
from components.core.runtime import imports


def folder(settings: Pretrained) -> Path:
    """Returns the folder of the model that `settings` names.

    Raises:
        ParamsError: the package is not installed, or the folder holds no config.json.
    """
    if settings.folder is not None:
        model_folder = Path(settings.folder)
    else:
        assert settings.package is not None  # the settings have one or the other
        spec = importlib.util.find_spec(settings.package)
        if spec is None or not spec.submodule_search_locations:
            raise ParamsError(
                f"Expected the installed package {settings.package} (train.pretrained.package), "
                "found none. Run `make vectors`, or name another package or folder."
            )
        model_folder = Path(next(iter(spec.submodule_search_locations))) / (settings.path or "")
    if not (model_folder / "config.json").is_file():
        raise ParamsError(
            f"Expected a model in {model_folder} (train.pretrained), with a config.json as "
            "KerasHub or Hugging Face write it; found none. Name the folder that holds it."
        )
    return model_folder


def fingerprint(settings: Pretrained) -> str:
    """Computes a SHA-256 over the names and contents of the model's files."""
    model_folder = folder(settings)
    files = sorted(path for path in model_folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(model_folder)} {tables.file_hash(path)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def backbone(settings: Pretrained) -> Any:
    """Loads the model without a head: a keras_hub Backbone with its weights.

    Raises:
        MissingPackage: KerasHub is not installed.
        ParamsError: KerasHub cannot read the model, or the model is no encoder of texts.
    """
    keras_hub = _keras_hub()
    model = _load(keras_hub.models.Backbone, settings)
    if "token_ids" not in model.input or "padding_mask" not in model.input:
        raise ParamsError(
            f"Expected an encoder of texts in {folder(settings)} (train.pretrained), got "
            f"{type(model).__name__}. Name a BERT, DistilBERT, ELECTRA or MiniLM."
        )
    return model


def tokenizer(settings: Pretrained) -> Any:
    """Loads the keras_hub tokenizer of the model.

    Raises:
        MissingPackage: KerasHub is not installed.
        ParamsError: KerasHub cannot read the tokenizer, or it is no WordPiece tokenizer.
    """
    keras_hub = _keras_hub()
    model_tokenizer = _load(keras_hub.models.Tokenizer, settings)
    if not isinstance(model_tokenizer, keras_hub.tokenizers.WordPieceTokenizer):
        raise ParamsError(
            f"Expected a WordPiece vocabulary in {folder(settings)} (train.pretrained), got a "
            f"{type(model_tokenizer).__name__}. Name a BERT, DistilBERT, ELECTRA or MiniLM."
        )
    return model_tokenizer


def _keras_hub() -> Any:
    imports.require_vectors("keras_hub", "train.pretrained")
    import keras_hub

    return keras_hub


def _load(kind: Any, settings: Pretrained) -> Any:
    model_folder = folder(settings)
    try:
        return kind.from_preset(str(model_folder))
    except (ValueError, KeyError, OSError) as error:
        raise ParamsError(
            f"Expected a model that KerasHub can read in {model_folder} (train.pretrained), got: "
            f"{' '.join(str(error).split())}"
        ) from error
