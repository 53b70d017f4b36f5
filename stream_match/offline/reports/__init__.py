"""Reports: a recording, or a collection, on one page of HTML that needs nothing but itself."""
