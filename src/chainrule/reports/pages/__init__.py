"""The pages people look at: HTML that stands alone, written from the records of `reports`."""
