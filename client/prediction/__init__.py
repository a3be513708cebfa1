"""From one recording and a released model to one honest number: score, probability, what moved it.

Nothing here opens a video or writes a file; ``client/commands/predict.py`` does.
"""
