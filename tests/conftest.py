"""Its place makes tests/ importable: the slow twins in naive.py serve several folders."""
