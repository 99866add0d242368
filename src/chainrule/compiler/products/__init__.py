"""Matrix products: plans, packing, tiles, what is done behind them."""
