"""The glossary: every word of the design is there once, in order, with a place that defines it."""

import re

from mlops_assets_tests.docs.pages import DOCS

WORDS = """use case, table, column, known_at, as_of, data version, action key, champion, challenger, arm, stage, share,
evidence, verdict, decision, ledger, reference, window, matured, quarantine, gate, artifact, partition, generation, ref,
recipe, lineage, alias, model digest, probe, trial, training set, baseline, nominated, rollout, shadow, canary, soak,
certificate, epoch, gateway, controller, slot, feature, label, landing zone, journal, skew, slice, reused, data drift,
concept drift, feed fault, replay, world"""
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| \[[^]]+\]\(([^)]+)\) \|$", re.MULTILINE)


def rows() -> list[tuple[str, str, str]]:
    return ROW.findall((DOCS / "glossary.md").read_text())


def test_every_word_of_the_project_is_in_the_glossary_once_and_in_order() -> None:
    words = [word for word, _, _ in rows()]

    assert words == sorted(re.split(r",\s+", WORDS), key=str.casefold)


def test_every_word_is_used_where_its_link_leads() -> None:
    lost = []
    for word, _, link in rows():
        text = " ".join((DOCS / link.partition("#")[0]).read_text().casefold().split())
        if not any(form in text for form in (word, word.replace(" ", "_"), word.replace(" ", "-"))):
            lost.append(f"{word}: {link}")

    assert lost == []
