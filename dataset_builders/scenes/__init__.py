"""Scenes that clips are rendered from: radiance fields, Gaussian splats, rooms; where their camera paths may go."""
