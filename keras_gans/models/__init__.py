"""Variants, one in each module: idea, paper, equations and losses."""
