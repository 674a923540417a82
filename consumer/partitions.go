package consumer

// Partitions is how many partitions each of the topics has, 0 before that is
// known. It is known when a handler is asked for.
func (c *Consumer) Partitions() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[0]
}
