"""fast_textcnn/kernels.py: what is compiled is found again, wherever the same code lies."""

from __future__ import annotations

import shutil
from pathlib import Path

from components.core.bundle.runtimes.fast_textcnn import kernels


def test_the_same_code_elsewhere_is_not_compiled_again(tmp_path: Path) -> None:
    here = Path(kernels.__file__)
    copy = Path(shutil.copy(here, tmp_path))
    subpath = kernels.ByContent.get_suitable_cache_subpath
    assert subpath(str(copy)) == subpath(str(here))
    copy.write_text(here.read_text(encoding="utf-8") + "\n# other code", encoding="utf-8")
    assert subpath(str(copy)) != subpath(str(here))


def test_numba_asks_it_where_to_keep_what_it_compiles() -> None:
    kept = Path(kernels.index.stats.cache_path or "")
    assert kept.name == kernels.ByContent.get_suitable_cache_subpath(kernels.__file__)
