package metadata

import "errors"

// walkGIF keeps the frames, their control blocks, plain text (which the format counts as part of the picture), loop counts
// and a colour profile; comments, XMP and unknown extensions go.
func walkGIF(e *editor) error {
	if e.headOnly {
		return nil // a GIF has no orientation
	}
	err := walkBlocks(e)
	if errors.Is(err, errEnd) {
		if e.frames == 0 {
			return broken("The GIF ends before its first frame is complete.")
		}
		return broken("The GIF ends after %d complete frames, within the next block.", e.frames)
	}
	return err
}

func walkBlocks(e *editor) error {
	head, err := e.head(13, "GIF", func(b []byte) bool { return string(b[:6]) == "GIF87a" || string(b[:6]) == "GIF89a" })
	if err != nil {
		return err
	}
	off := 13 + colourTable(head[10])
	if off > e.in.size {
		return errEnd
	}
	if err := e.keep(0, off); err != nil {
		return err
	}
	for {
		if off == e.in.size && e.frames > 0 {
			return nil // only the trailer is missing: every decoder takes that
		}
		b, err := e.in.at(off, 1)
		if err != nil {
			return err
		}
		start, kept := off, true
		switch b[0] {
		case 0x3b: // trailer
			if off+1 < e.in.size {
				e.drop()
			}
			return e.keep(off, 1)
		case 0x2c: // image
			if off, err = gifImage(e.in, off); err != nil {
				return err
			}
			e.frames++
		case 0x21: // extension
			if kept, err = gifExtensionKept(e.in, off); err != nil {
				return err
			}
			if off, err = subBlocks(e.in, off+2); err != nil {
				return err
			}
		case 0x00: // a terminator too many, as some encoders write
			off++
		default:
			if e.frames > 0 {
				e.drop() // junk where the trailer should be: the picture ends here
				return e.insert([]byte{0x3b})
			}
			return broken("There is no valid GIF block at byte %d.", off)
		}
		if !kept {
			e.drop()
			continue
		}
		if err := e.keep(start, off-start); err != nil {
			return err
		}
	}
}

// gifImage returns where the image block at off ends.
func gifImage(in *window, off int64) (int64, error) {
	head, err := in.at(off, 10)
	if err != nil {
		return 0, err
	}
	return subBlocks(in, off+10+colourTable(head[9])+1) // one byte of LZW code size
}

// subBlocks returns where the chain of sub-blocks that begins at off ends.
func subBlocks(in *window, off int64) (int64, error) {
	for {
		b, err := in.at(off, 1)
		if err != nil {
			return 0, err
		}
		if b[0] == 0 {
			return off + 1, nil
		}
		off += int64(b[0]) + 1
	}
}

// gifExtensionKept decides about the extension block at off.
func gifExtensionKept(in *window, off int64) (bool, error) {
	b, err := in.at(off, 3)
	if err != nil {
		return false, err
	}
	switch label, length := b[1], b[2]; label {
	case 0xf9, 0x01: // graphic control, plain text
		return true, nil
	case 0xff:
		if length != 11 {
			return false, nil
		}
		name, err := in.at(off+3, 11)
		if err != nil {
			return false, err
		}
		switch string(name) {
		case "NETSCAPE2.0", "ANIMEXTS1.0", "ICCRGBG1012":
			return true, nil
		}
	}
	return false, nil
}

// colourTable returns how many bytes the colour table announced by flags takes.
func colourTable(flags byte) int64 {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}
