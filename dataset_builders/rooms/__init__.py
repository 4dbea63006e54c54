"""Procedural rooms: furniture, textures, lights, the renderer, and the camera paths in them."""
