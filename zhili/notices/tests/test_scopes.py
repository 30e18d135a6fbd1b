"""Who reads what of a name: three scopes, every combination of facts (M-03, M-09, P-04, P-05, P-07)."""

from __future__ import annotations

from itertools import product

import pytest

from zhili.notices.scopes import BASIS, Facts, Scope, Shown, name_for, shown

FACTS = [Facts(*values) for values in product([False, True], repeat=6)]


@pytest.mark.parametrize("scope", list(Scope))
def test_the_matrix_of_scopes(scope):
    """M-03: 64 combinations a scope. Never a name against a no, never a child's, never a deduction off the wall."""
    assert len(FACTS) == 64
    for facts in FACTS:
        how = shown(scope, facts)
        assert BASIS[how]
        if not facts.published or facts.minor:
            assert how is Shown.NOTHING
        if facts.deduction and scope is not Scope.PAPER:
            assert how is Shown.NOTHING
        if facts.deduction and not (facts.resolved and facts.objections_over):
            assert how is Shown.NOTHING
        if scope is Scope.INTERNET:
            assert how is not Shown.WHOLE
        if how is Shown.WHOLE:
            assert facts.resolved and not facts.deduction


@pytest.mark.parametrize(
    ("scope", "facts", "name"),
    [
        (Scope.PAPER, Facts(), "张*"),
        (Scope.PAPER, Facts(resolved=True), "张三"),
        (Scope.VILLAGE, Facts(), "张*"),
        (Scope.VILLAGE, Facts(same_group=False), ""),
        (Scope.INTERNET, Facts(resolved=True), "张*"),
        (Scope.INTERNET, Facts(deduction=True, resolved=True, objections_over=True), ""),
        (Scope.PAPER, Facts(deduction=True, resolved=True, objections_over=True), "张*"),
        (Scope.PAPER, Facts(deduction=True, resolved=True), ""),
        (Scope.PAPER, Facts(published=False, resolved=True), ""),
        (Scope.PAPER, Facts(minor=True, resolved=True), ""),
    ],
)
def test_examples_a_clerk_can_read(scope, facts, name):
    """M-03, M-09."""
    assert name_for(scope, facts, "张三") == name
