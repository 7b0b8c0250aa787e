"""Code as an ingredient: which definitions a step can reach and what each says. Source text in, digests out."""

from mlops_assets.core.code.reach import Code, Reached

__all__ = ["Code", "Reached"]
