"""Masks carried from frame to frame by a network: frames and first masks in, masks out.

`network` has what OSMN (`osmn`) and FEELVOS (`feelvos`) share, `follow` a whole video.
"""
