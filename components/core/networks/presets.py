"""Where pretrained models come from: KerasHub's presets and folders in Hugging Face's layout.

Nothing is fetched: a model is a folder of an installed package, or of this machine.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

from components.core import tables
from components.core.errors import ParamsError
from components.core.params.architectures.pretrained import Pretrained


def folder(settings: Pretrained) -> Path:
    """The folder of the model that `settings` names.

    Raises:
        ParamsError: no such package or folder.
    """
    if settings.folder is not None:
        found = Path(settings.folder)
    else:
        assert settings.package is not None  # the settings have one or the other
        spec = importlib.util.find_spec(settings.package)
        if spec is None or not spec.submodule_search_locations:
            raise ParamsError(
                f"Expected the installed package {settings.package} (train.pretrained.package), "
                "found none. Run `make setup`, or name another package or folder."
            )
        found = Path(next(iter(spec.submodule_search_locations))) / (settings.path or "")
    if not (found / "config.json").is_file():
        raise ParamsError(
            f"Expected a model in {found} (train.pretrained), with a config.json as KerasHub or "
            "Hugging Face write it; found none. Name the folder that holds it."
        )
    return found


def fingerprint(settings: Pretrained) -> str:
    """SHA-256 over the names and contents of the model's files: which model it was."""
    place = folder(settings)
    files = sorted(path for path in place.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(place)} {tables.file_hash(path)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def backbone(settings: Pretrained) -> Any:
    """The model without a head: a keras_hub Backbone with its weights.

    Raises:
        ParamsError: it cannot be read, or is no encoder of texts.
    """
    import keras_hub

    found = _load(keras_hub.models.Backbone, settings)
    if "token_ids" not in found.input or "padding_mask" not in found.input:
        raise ParamsError(
            f"Expected an encoder of texts in {folder(settings)} (train.pretrained), got "
            f"{type(found).__name__}. Name a BERT, DistilBERT, ELECTRA or MiniLM."
        )
    return found


def tokenizer(settings: Pretrained) -> Any:
    """The model's own keras_hub tokenizer.

    Raises:
        ParamsError: it cannot be read, or does not cut words into WordPieces.
    """
    import keras_hub

    found = _load(keras_hub.models.Tokenizer, settings)
    if not isinstance(found, keras_hub.tokenizers.WordPieceTokenizer):
        raise ParamsError(
            f"Expected a WordPiece vocabulary in {folder(settings)} (train.pretrained), got a "
            f"{type(found).__name__}. Name a BERT, DistilBERT, ELECTRA or MiniLM."
        )
    return found


def _load(kind: Any, settings: Pretrained) -> Any:
    place = folder(settings)
    try:
        return kind.from_preset(str(place))
    except (ValueError, KeyError, OSError) as error:
        raise ParamsError(
            f"Expected a model that KerasHub can read in {place} (train.pretrained), got: "
            f"{' '.join(str(error).split())}"
        ) from error
