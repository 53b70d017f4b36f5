"""Sounds whose beginnings are known to the sample: what onsets are learnt from and measured on."""
