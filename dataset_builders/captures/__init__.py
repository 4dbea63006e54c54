"""Captures: posed pictures on disk, as other tools leave them, and whether their poses fit."""
