package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// decoder prints the peak memory of a decoder that renders a picture of 24 MP.
func (b *bench) decoder(ctx context.Context) error {
	baseline, err := b.photo24()
	if err != nil {
		return err
	}
	progressive, err := b.progressive24()
	if err != nil {
		return err
	}
	for _, p := range []struct {
		name string
		data []byte
		goal float64
	}{{"baseline", baseline, 1}, {"progressive", progressive, 0}} {
		peak, err := b.decoderPeak(ctx, p.data)
		if err != nil {
			return err
		}
		const most = 150 << 10
		b.row("peak memory of a decoder, 24 MP "+p.name+" JPEG", fmt.Sprintf("%d MiB", peak>>10), "150 MiB", float64(most)/float64(peak), p.goal)
	}
	return nil
}

// decoderPeak uploads a picture to a server with one decoder, has it render some variants, and returns the most memory that
// the decoder ever had, in KiB. It looks all the time, since a decoder that has grown is replaced.
func (b *bench) decoderPeak(ctx context.Context, data []byte) (int, error) {
	k, err := b.start(ctx, port, noMaster, "KADR_DECODERS=1")
	if err != nil {
		return 0, err
	}
	defer func() { _ = k.stop() }()
	keys, err := b.members(k)
	if err != nil {
		return 0, err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	peaks := make(chan int)
	go func() {
		peak := 0
		for watching.Err() == nil {
			for _, pid := range children(k.cmd.Process.Pid) {
				if now, err := peakMemory(pid); err == nil {
					peak = max(peak, now)
				}
			}
			time.Sleep(2 * time.Millisecond)
		}
		peaks <- peak
	}()
	err = func() error {
		picture, err := b.store1(k, keys[0], data)
		if err != nil {
			return err
		}
		for _, query := range []string{".webp?w=160", ".jpg?w=1280", ".webp?w=2560"} {
			req, err := http.NewRequest(http.MethodGet, k.base+picture.link+query, nil)
			if err != nil {
				return err
			}
			if _, _, err := k.do(req); err != nil {
				return err
			}
		}
		return nil
	}()
	stop()
	peak := <-peaks
	if err == nil && peak == 0 {
		err = fmt.Errorf("the server has no decoders that can be watched (Linux only)")
	}
	return peak, err
}
