"""How long a clip is, in every dataset here: 17 frames at 8 a second, as in the paper."""

NUM_FRAMES = 17
FPS = 8.0
