package event

func (d *Decoder) parsePrediction(b []byte) Reason { return ReasonMalformed }
func (d *Decoder) parseImpression(b []byte) Reason { return ReasonMalformed }
func (d *Decoder) parseConversion(b []byte) Reason { return ReasonMalformed }
