package imaging

import (
	"context"
	"os"
)

// SelfTest makes a decoder try what selfTest knows.
func (p *Pool) SelfTest(ctx context.Context, name string) error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	_, err = p.do(ctx, PriorityNormal, wireRequest{Operation: opSelfTest, SelfTest: name}, null, nil)
	return err
}

// Missing lists the protections that the decoders run without.
func (p *Pool) Missing() []string { return p.slots[0].child.hello.Missing }
