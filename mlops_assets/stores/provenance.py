"""Where a result was made: code version, libraries, machine. What one needs to make it again.

Here belongs looking at the repository and the process, nothing else; what is recorded where is the registry's business.
Absent facts are "unknown" with the reason beside them, never a guess and never a crash.
"""

import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any

UNKNOWN = "unknown"
KERNELS = "cpu_kernels"  # in `about` of a trained model: the math libraries it was fitted with
PACKAGE = "mlops_assets"  # the folder of the code, below the root
# the libraries whose release may change a model's bits
SHAPING = ("numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "skops", "duckdb", "ibis-framework", "mlops-assets")


@dataclass(frozen=True, kw_only=True)
class Commit:
    """The code version: `sha` (40 hexadecimal characters, or "unknown") and whether the code is another one (`dirty`).

    `dirty` is None when that is unknown; `reason` says why it is unknown or dirty, and is empty for a clean checkout.
    """

    sha: str
    dirty: bool | None
    reason: str = ""

    @property
    def dirty_word(self) -> str:
        """ "true", "false" or "unknown": as a tag spells it."""
        return UNKNOWN if self.dirty is None else str(self.dirty).lower()


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Commit, library versions by distribution name, Python, platform, and the kernels BLAS and OpenMP run on.

    `cpu_kernels` is why a model on BLAS is reproduced bit for bit on this kind of processor only.
    """

    commit: Commit
    libraries: Mapping[str, str]
    python: str
    platform: str
    cpu_kernels: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "commit": asdict(self.commit),
            "libraries": dict(self.libraries),
            "python": self.python,
            "platform": self.platform,
            "cpu_kernels": list(self.cpu_kernels),
        }


def provenance(root: Path) -> Provenance:
    """The provenance of this process and of the repository that holds `root`; looked at now, at every call."""
    return Provenance(
        commit=commit(root),
        libraries=MappingProxyType(library_versions(SHAPING)),
        python=platform.python_version(),
        platform=f"{sys.platform}-{platform.machine()}",
        cpu_kernels=cpu_kernels(),
    )


def commit(root: Path) -> Commit:
    """The commit checked out at `root`, and whether the code differs from it.

    It does when a tracked file of the repository was changed, or when the package's folder holds a `.py` file that git
    does not track; a notebook beside it, a linked `.venv` or an ignored file changes no code. The first such path is
    the reason.
    """
    try:
        sha = _git(root, "rev-parse", "--verify", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no").splitlines()
        if changed:
            return Commit(sha=sha, dirty=True, reason=f"{changed[0][3:]} was changed")  # after two letters and a space
        new = _git(root, "ls-files", "--others", "--exclude-standard", "--", f"{PACKAGE}/*.py").splitlines()
        return Commit(sha=sha, dirty=bool(new), reason=f"{new[0]} is not tracked" if new else "")
    except FileNotFoundError:
        return Commit(sha=UNKNOWN, dirty=None, reason="git is not installed, or the folder does not exist")
    except (OSError, subprocess.SubprocessError) as refused:
        said = str(getattr(refused, "stderr", "") or refused).strip().splitlines()
        return Commit(sha=UNKNOWN, dirty=None, reason=said[0] if said else type(refused).__name__)


def library_versions(distributions: Iterable[str]) -> dict[str, str]:
    """Version by distribution name, "unknown" for one that is not installed; sorted by name."""
    found = {}
    for name in sorted(distributions):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = UNKNOWN
    return found


def cpu_kernels() -> tuple[str, ...]:
    """The native math libraries loaded by now, e.g. "openblas 0.3.30 Haswell"; sorted, without thread counts."""
    import numpy.linalg  # loads BLAS, if nothing else has
    from threadpoolctl import threadpool_info  # type: ignore[import-untyped]  # it ships no types

    _ = numpy.linalg
    found = set()
    for library in threadpool_info():
        words = (library["internal_api"], library.get("version") or "", library.get("architecture") or "")
        found.add(" ".join(word for word in words if word))
    return tuple(sorted(found))


def _git(root: Path, *arguments: str) -> str:
    # no optional locks: looking must not get in the way of someone's git command
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)  # noqa: S603  fixed words
    return done.stdout.rstrip()
