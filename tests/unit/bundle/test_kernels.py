"""fast_textcnn: kernels are compiled on first use, and found again wherever the same code lies."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from components.core.bundle.runtimes.fast_textcnn import compilation
from components.core.bundle.runtimes.fast_textcnn import kernels as loops
from tests import fresh

# NUMBA_DEBUG_CACHE would print each look into the folder; the counts say the same.
USE = """
from components.core.bundle.runtimes.fast_textcnn import compilation, kernels
places = [*sorted(kernels.SIGNATURES)]
before = [len(getattr(kernels, name).signatures) for name in places]
compiled = compilation.kernels()
stats = [getattr(compiled, name).stats for name in places]
answer = {
    "before": before,
    "hits": sum(sum(one.cache_hits.values()) for one in stats),
    "misses": sum(sum(one.cache_misses.values()) for one in stats),
    "folders": sorted({one.cache_path for one in stats}),
}
"""


def test_the_same_code_elsewhere_is_not_compiled_again(tmp_path: Path) -> None:
    here = Path(loops.__file__)
    copy = Path(shutil.copy(here, tmp_path))
    assert compilation.content_hash(copy) == compilation.content_hash(here)
    copy.write_text(here.read_text(encoding="utf-8") + "\n# other code", encoding="utf-8")
    assert compilation.content_hash(copy) != compilation.content_hash(here)


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    first, second = (fresh.run(USE, environment | {"NEWSLOOP_HOME": str(home)}) for _ in range(2))
    assert first["before"] == second["before"] == [0, 0, 0, 0]  # the import compiles nothing
    assert (first["hits"], first["misses"]) == (0, 3)
    assert (second["hits"], second["misses"]) == (3, 0)
    place = home / "numba" / compilation.content_hash(Path(loops.__file__))
    assert first["folders"] == second["folders"] == [str(place)]
