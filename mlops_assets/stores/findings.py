"""What an examination of the store can find, and how it says so.

Here belong the words of `fsck`. Damage is what a reader would trip over; info is what only takes room.
"""

from dataclasses import dataclass

# kind of finding -> is it damage?
KINDS = {
    "damaged-ref": True,  # its seal is broken, or it lies where it does not belong
    "missing-ref": True,  # a gap in the generations, or the newest is gone
    "missing-head": True,  # nobody can tell whether the newest ref that is there is the newest
    "damaged-head": True,
    "damaged-object": True,  # other bytes than were written
    "missing-object": True,
    "wrong-version": True,  # right bytes, but not the data version that the ref claims
    "missing-input": True,  # what a ref says it was made from is not there
    "link": True,  # a symbolic link, where the store keeps its own: what is behind it is not the store's
    "stray": True,  # a file that the store never writes, where the store keeps its own
    "orphan": False,  # an object that no ref points to
    "temporary": False,  # left over from a killed write
    "set-aside": False,  # moved here by a repair
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing found: what kind, in which file (from the root of the store), and which publications it touches."""

    kind: str
    path: str
    message: str
    affected: tuple[str, ...] = ()  # "asset@partition#generation"

    @property
    def is_damage(self) -> bool:
        """True when a reader would trip over it."""
        return KINDS[self.kind]

    @property
    def steps(self) -> tuple[str, ...]:
        """The `asset@partition` that a run has to make again."""
        if self.kind == "missing-input":
            _, use_case, name, partition = self.path.split("/")
            return (f"{use_case}/{name}@{partition}",)
        return tuple(sorted({at.rpartition("#")[0] for at in self.affected}))


@dataclass(frozen=True, kw_only=True)
class FsckReport:
    """What an examination saw: counts, bytes read, and findings in order of path."""

    refs: int
    objects: int
    bytes: int
    findings: tuple[Finding, ...]

    @property
    def damage(self) -> tuple[Finding, ...]:
        """The findings that a reader would trip over."""
        return tuple(finding for finding in self.findings if finding.is_damage)

    @property
    def steps(self) -> tuple[str, ...]:
        """The `asset@partition` that runs have to make again before the store is sound, sorted."""
        return tuple(sorted({step for finding in self.damage for step in finding.steps}))

    @property
    def is_sound(self) -> bool:
        """True when there is no damage."""
        return not self.damage
