"""An index on a Milvus server, for catalogues that one machine cannot hold."""
