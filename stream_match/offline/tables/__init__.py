"""Tables of descriptors: many files described, and written as CSV or Parquet."""
