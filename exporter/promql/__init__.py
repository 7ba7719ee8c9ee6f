"""PromQL over columns of samples: pure, whoever has the samples."""
