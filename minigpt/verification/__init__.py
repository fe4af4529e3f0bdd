"""Proof that two models compute the same, or where they part and why. Lesson 08 uses it.

Begin with `comparing.py`: both read the same ids, and are compared module by module.
`divergence.py` looks for the mistake that explains the first difference, `suspects.py` knows them.
"""

from minigpt.verification.comparing import Report, verify

__all__ = [
    "Report",
    "verify",
]
