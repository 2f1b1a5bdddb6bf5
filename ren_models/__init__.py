"""From the rows of a store to experts and what they predict, written back to the store.

Every fit reads its rows through `parts.read_parts`, and is refused any part of a round but the one that it may see.
"""

from ren_models.splits.rounds import Round, Split, make_split

__all__ = ["Round", "Split", "make_split"]
