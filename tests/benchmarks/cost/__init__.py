"""What a delivery costs: AWS calls and units counted over the real handlers and the fakes of AWS, then priced."""
