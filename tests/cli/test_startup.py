"""What starting imports: nothing before it is used."""

import subprocess
import sys

import pytest

import imputedb

HEAVY = ("click", "duckdb", "numpy", "scipy", "rich", "imputedb.database")


def _loaded(code: str) -> set[str]:
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(ran.stdout.split())


def test_importing_it_imports_nothing_else() -> None:
    assert not _loaded("import imputedb").intersection(HEAVY)


def test_the_version_is_answered_before_click_is_imported() -> None:
    code = "import sys; sys.argv = ['imputedb', '--version']; from imputedb.cli.start import start; start()"
    loaded = _loaded(code)
    assert imputedb.__version__ in loaded
    assert not loaded.intersection(HEAVY)


def test_help_needs_no_engine() -> None:
    code = "import sys\ntry:\n sys.argv = ['imputedb', '--help']; from imputedb.cli.start import start; start()\nexcept SystemExit: pass"  # noqa: E501
    assert not _loaded(code).intersection({"duckdb", "numpy", "imputedb.database"})


def test_public_names_and_modules_are_there_when_they_are_asked_for() -> None:
    for name in imputedb.__all__:
        assert getattr(imputedb, name) is not None
    lines = (
        "import imputedb",
        "assert imputedb.imputers.KNN and 'connect' in dir(imputedb)",
        "from imputedb import *",
        "connect().close()",
    )
    assert "imputedb.database" in _loaded("\n".join(lines))
    with pytest.raises(AttributeError, match="conect"):
        _ = imputedb.conect  # type: ignore[attr-defined]
