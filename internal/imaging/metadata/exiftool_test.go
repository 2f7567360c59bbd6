package metadata_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"image/jpeg"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kadr-app/kadr/internal/imaging"
)

var decoders = sync.OnceValues(func() (*imaging.Pool, error) { return imaging.NewPool(imaging.PoolConfig{Workers: 2}) })

func TestMain(m *testing.M) {
	imaging.DecoderMain()
	code := m.Run()
	if pool, err := decoders(); err == nil {
		pool.Close()
	}
	os.Exit(code)
}

// sameRendering wants two files to look alike to the last bit, turned upright and in sRGB as the server shows them.
func sameRendering(t *testing.T, a, b []byte) {
	t.Helper()
	samePixels(t, rendered(t, a), rendered(t, b))
}

// rendered returns a picture as a PNG.
func rendered(t *testing.T, file []byte) []byte {
	t.Helper()
	pool, err := decoders()
	if err != nil {
		t.Fatal(err)
	}
	open := func(content []byte) *os.File {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if _, err := f.Write(content); err != nil {
			t.Fatal(err)
		}
		return f
	}
	out := open(nil)
	if _, err := pool.Render(context.Background(), open(file), imaging.RenderRequest{
		Outputs: []imaging.Output{{Format: imaging.PNG, File: out}},
	}); err != nil {
		t.Fatalf("render: %v", err)
	}
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	pixels, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	return pixels
}

// exiftool runs the program on a file of its own.
func exiftool(t *testing.T, file []byte, arguments ...string) (output, changed []byte) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "picture")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := exec.CommandContext(t.Context(), "exiftool", append(arguments, name)...).CombinedOutput()
	if err != nil {
		t.Fatalf("exiftool: %v: %s", err, output)
	}
	if changed, err = os.ReadFile(name); err != nil {
		t.Fatal(err)
	}
	return output, changed
}

// plant writes all kinds of metadata into a picture, as cameras, phones and editors do.
func plant(t *testing.T, file []byte) []byte {
	t.Helper()
	var thumbnail bytes.Buffer
	if err := jpeg.Encode(&thumbnail, picture(), nil); err != nil {
		t.Fatal(err)
	}
	small := slices.Concat(thumbnail.Bytes()[:2], segment(0xfe, "thumbnail "+secret), thumbnail.Bytes()[2:])
	name := filepath.Join(t.TempDir(), "thumbnail.jpg")
	if err := os.WriteFile(name, small, 0o600); err != nil {
		t.Fatal(err)
	}
	arguments := []string{
		"-q", "-m", "-overwrite_original", "-n",
		"-EXIF:Orientation=6", "-EXIF:GPSLatitude=59.9386", "-EXIF:GPSLatitudeRef=N", "-EXIF:GPSLongitude=30.3141", "-EXIF:GPSLongitudeRef=E",
		"-IFD0:ProcessingSoftware=" + secret, "-ThumbnailImage<=" + name, "-PhotoshopThumbnail<=" + name,
	}
	for _, tag := range []string{
		"EXIF:Make", "EXIF:Model", "EXIF:Software", "EXIF:Artist", "EXIF:Copyright", "EXIF:ImageDescription", "EXIF:HostComputer",
		"EXIF:SerialNumber", "EXIF:LensSerialNumber", "EXIF:OwnerName", "EXIF:UserComment", "EXIF:ImageUniqueID",
		"EXIF:GPSProcessingMethod", "EXIF:GPSAreaInformation", "EXIF:MakerNoteUnknownText", "EXIF:XPComment",
		"XMP:Creator", "XMP:City", "XMP:SerialNumber", "XMP:Title", "IPTC:City", "IPTC:Keywords", "IPTC:By-line", "Comment", "Photoshop:WriterName",
	} {
		arguments = append(arguments, "-"+tag+"="+secret)
	}
	_, planted := exiftool(t, file, arguments...)
	if n := bytes.Count(planted, []byte(secret)); n < 15 {
		t.Fatalf("only %d secrets are in the file", n)
	}
	return planted
}

// allowedTags is all that ExifTool may find in a stripped file: what kind of file it is, how large its picture, how it is
// compressed, where its data lies, and its orientation and colours.
func allowedTags(format string) []string {
	tags := []string{
		"SourceFile", "ExifTool:ExifToolVersion", "File:FileType", "File:FileTypeExtension", "File:MIMEType", "File:ExifByteOrder",
		"File:ImageWidth", "File:ImageHeight", "Composite:ImageSize", "Composite:Megapixels", "IFD0:Orientation",
	}
	iso := []string{
		"QuickTime:MajorBrand", "QuickTime:MinorVersion", "QuickTime:CompatibleBrands", "QuickTime:HandlerType",
		"QuickTime:ImageSpatialExtent", "QuickTime:ImagePixelDepth", "QuickTime:MediaDataSize", "QuickTime:MediaDataOffset",
		"QuickTime:MediaData", "QuickTime:Rotation", "QuickTime:AuxiliaryImageType", "Meta:PrimaryItemReference", "Meta:MetaImageSize",
		"QuickTime:ColorProfiles", "QuickTime:ColorPrimaries", "QuickTime:TransferCharacteristics", "QuickTime:MatrixCoefficients",
		"QuickTime:VideoFullRangeFlag", "QuickTime:ChromaFormat", "QuickTime:BitDepthLuma", "QuickTime:BitDepthChroma",
	}
	return append(tags, map[string][]string{
		"jpeg": {
			"File:EncodingProcess", "File:BitsPerSample", "File:ColorComponents", "File:YCbCrSubSampling",
			"Adobe:DCTEncodeVersion", "Adobe:APP14Flags0", "Adobe:APP14Flags1", "Adobe:ColorTransform",
		},
		"png": {
			"PNG:ImageWidth", "PNG:ImageHeight", "PNG:BitDepth", "PNG:ColorType", "PNG:Compression", "PNG:Filter", "PNG:Interlace",
			"PNG:Gamma",
		},
		"webp": {
			"RIFF:WebP_Flags", "RIFF:ImageWidth", "RIFF:ImageHeight", "RIFF:VP8Version", "RIFF:HorizontalScale", "RIFF:VerticalScale",
		},
		"avif": append(iso,
			"QuickTime:AV1ConfigurationVersion", "QuickTime:SeqProfile", "QuickTime:SeqLevelIdx0", "QuickTime:SeqTier0",
			"QuickTime:HighBitDepth", "QuickTime:TwelveBit", "QuickTime:ChromaSamplePosition", "QuickTime:InitialDelaySamples"),
		"heic": append(iso,
			"QuickTime:HEVCConfigurationVersion", "QuickTime:GeneralProfileSpace", "QuickTime:GeneralTierFlag", "QuickTime:GeneralProfileIDC",
			"QuickTime:GenProfileCompatibilityFlags", "QuickTime:ConstraintIndicatorFlags", "QuickTime:GeneralLevelIDC",
			"QuickTime:MinSpatialSegmentationIDC", "QuickTime:ParallelismType", "QuickTime:AverageFrameRate", "QuickTime:ConstantFrameRate",
			"QuickTime:NumTemporalLayers", "QuickTime:TemporalIDNested"),
		"tiff": {
			"IFD0:ImageWidth", "IFD0:ImageHeight", "IFD0:BitsPerSample", "IFD0:Compression", "IFD0:PhotometricInterpretation",
			"IFD0:StripOffsets", "IFD0:StripByteCounts", "IFD0:SamplesPerPixel", "IFD0:RowsPerStrip", "IFD0:XResolution", "IFD0:YResolution",
			"IFD0:ResolutionUnit", "IFD0:PlanarConfiguration",
		},
	}[format]...)
}

func TestExifToolFindsNothingPrivate(t *testing.T) {
	t.Parallel()
	photograph, err := os.ReadFile("../hostile/testdata/still.webp")
	if err != nil {
		t.Fatal(err)
	}
	// Pictures with alpha and a thumbnail, made by libheif's own program: heif-enc -q 40 -t 32, with -A for AVIF.
	transparent := func(format string) []byte {
		b, err := os.ReadFile("testdata/alpha." + format)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(b, []byte("thmb")) || !bytes.Contains(b, []byte("auxl")) {
			t.Fatal("no thumbnail, or no alpha")
		}
		return b
	}
	trailer := slices.Concat(jpegFile(t, segment(0xfe, secret)), []byte(secret))
	for name, tc := range map[string]struct {
		format  string
		planted []byte
	}{
		"jpeg": {"jpeg", append(plant(t, jpegFile(t,
			segment(0xe2, "MPF\x00"+secret), segment(0xe0, "JFXX\x00\x10"+secret), segment(0xeb, "JP\x00\x01"+secret), segment(0xec, "Ducky"+secret),
			segment(0xee, "Adobe\x00\x64\x00\x00\x00\x00\x01"+secret))), trailer...)},
		"png":           {"png", plant(t, pngFile(t, pngChunk("gAMA", []byte{0, 0, 0xb1, 0x8f}), pngChunk("prVt", []byte(secret))))},
		"webp":          {"webp", plant(t, photograph)},
		"avif":          {"avif", plant(t, still(t, "avif"))},
		"heic":          {"heic", plant(t, still(t, "heic"))},
		"avif, alpha":   {"avif", plant(t, transparent("avif"))},
		"heic, alpha":   {"heic", plant(t, transparent("heic"))},
		"avif, by hand": {"avif", dirtyHEIF(t, "avif")},
		"heic, by hand": {"heic", dirtyHEIF(t, "heic")},
		"tiff":          {"tiff", plant(t, greyTIFF())},
		"tiff, MM":      {"tiff", plant(t, bigEndianTIFF())},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clean, report := strip(t, tc.planted, tc.format)
			if !report.Private || report.StrippedSize != int64(len(clean)) {
				t.Errorf("%+v, %d bytes", report, len(clean))
			}
			if bytes.Contains(clean, []byte(secret)) {
				t.Error("a secret is left")
			}
			again, report := strip(t, clean, tc.format)
			if report.Private || !bytes.Equal(again, clean) {
				t.Errorf("stripped twice: %+v", report)
			}
			output, _ := exiftool(t, clean, "-j", "-G1", "-a", "-u")
			var found []map[string]any
			if err := json.Unmarshal(output, &found); err != nil || len(found) != 1 {
				t.Fatalf("%v: %s", err, output)
			}
			allowed := allowedTags(tc.format)
			for tag, value := range found[0] {
				if !strings.HasPrefix(tag, "System:") && !slices.Contains(allowed, tag) {
					t.Errorf("%s is left: %v", tag, value)
				}
			}
			if got := found[0]["IFD0:Orientation"]; tc.format != "avif" && tc.format != "heic" && got != "Rotate 90 CW" {
				t.Errorf("the orientation is %v", got)
			}
			// The decoder may refuse what stands behind the last box, thinking it the beginning of another.
			sameRendering(t, bytes.TrimSuffix(tc.planted, []byte("trailing "+secret)), clean)
		})
	}
}

func bigEndianTIFF() []byte {
	w := newTIFF(binary.BigEndian, false)
	w.page(w.grey(40, 40)...)
	return w.b
}
