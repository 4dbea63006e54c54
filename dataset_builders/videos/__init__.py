"""Ordinary videos: reading them by time, cutting them into shots and clips, with or without a camera path."""
