package event

func impressionField(name []byte) int {
	switch string(name) {
	case "impressionId", "impression_id":
		return 1
	case "auctionId", "auction_id":
		return 2
	case "itemId", "item_id":
		return 3
	case "eventTimeMs", "event_time_ms":
		return 4
	case "position":
		return 5
	case "costMicros", "cost_micros":
		return 6
	case "propensity":
		return 7
	}
	return 0
}

func (d *Decoder) parseImpression(b []byte) Reason {
	p := &d.impression
	m := message{name: "Impression", number: impressionField}
	num, i := 0, 0
	for {
		if num, i = d.nextField(&m, b, i); num == 0 {
			return d.finish(b, i)
		}
		switch num {
		case 1:
			p.ImpressionID, i = d.parseString(b, i, "impression_id")
		case 2:
			p.AuctionID, i = d.parseString(b, i, "auction_id")
		case 3:
			p.ItemID, i = d.parseUint64(b, i, "item_id")
		case 4:
			p.EventTimeMs, i = d.parseInt64(b, i, "event_time_ms")
		case 5:
			p.Position, i = d.parseUint32(b, i, "position")
		case 6:
			p.CostMicros, i = d.parseInt64(b, i, "cost_micros")
		case 7:
			p.Propensity, i = d.parseFloat32(b, i, "propensity")
		}
		if i < 0 {
			return d.failure.reason
		}
	}
}

func conversionField(name []byte) int {
	switch string(name) {
	case "conversionId", "conversion_id":
		return 1
	case "impressionId", "impression_id":
		return 2
	case "auctionId", "auction_id":
		return 3
	case "eventTimeMs", "event_time_ms":
		return 4
	case "conversionType", "conversion_type":
		return 5
	case "valueMicros", "value_micros":
		return 6
	case "retracted":
		return 7
	case "impressionTimeMs", "impression_time_ms":
		return 8
	}
	return 0
}

func (d *Decoder) parseConversion(b []byte) Reason {
	c := &d.conversion
	m := message{name: "Conversion", number: conversionField}
	num, i := 0, 0
	for {
		if num, i = d.nextField(&m, b, i); num == 0 {
			return d.finish(b, i)
		}
		switch num {
		case 1:
			c.ConversionID, i = d.parseString(b, i, "conversion_id")
		case 2:
			c.ImpressionID, i = d.parseString(b, i, "impression_id")
		case 3:
			c.AuctionID, i = d.parseString(b, i, "auction_id")
		case 4:
			c.EventTimeMs, i = d.parseInt64(b, i, "event_time_ms")
		case 5:
			c.ConversionType, i = d.parseString(b, i, "conversion_type")
		case 6:
			c.ValueMicros, i = d.parseInt64(b, i, "value_micros")
		case 7:
			c.Retracted, i = d.parseBool(b, i, "retracted")
		case 8:
			c.ImpressionTimeMs, i = d.parseInt64(b, i, "impression_time_ms")
		}
		if i < 0 {
			return d.failure.reason
		}
	}
}
