#include "vips.h"

#include <glib-object.h>
#include <string.h>
#include <unistd.h>
#include <vips/vips.h>

#if VIPS_MAJOR_VERSION < 8 || (VIPS_MAJOR_VERSION == 8 && VIPS_MINOR_VERSION < 13)
#error "Kadr needs libvips 8.13 or newer: older ones cannot block loaders."
#endif
#ifdef __GLIBC__
#include <malloc.h>
#endif

/* GLib's log handler is process-wide, so what it collects has to be as well. libvips logs from its own threads. */
static GMutex log_lock;
static char log_text[512];

static void
on_log(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data)
{
	(void) domain, (void) level, (void) data;
	g_mutex_lock(&log_lock);
	g_strlcat(log_text, message, sizeof(log_text));
	g_strlcat(log_text, "\n", sizeof(log_text));
	g_mutex_unlock(&log_lock);
}

static void
take_log(char *to)
{
	g_mutex_lock(&log_lock);
	if (to != NULL)
		g_strlcpy(to, log_text, sizeof(log_text));
	log_text[0] = '\0';
	g_mutex_unlock(&log_lock);
}

static int
fail(char *error)
{
	g_strlcpy(error, vips_error_buffer(), 512);
	vips_error_clear();
	return -1;
}

int
kadr_start(const char *name, char *error)
{
	/* The only operations that touch a file's bytes. All other loaders and savers, present or added by a module,
	 * stay blocked. */
	static const char *const allowed[] = {
		"VipsForeignLoadJpegSource", "VipsForeignLoadPngSource", "VipsForeignLoadNsgifSource",
		"VipsForeignLoadWebpSource", "VipsForeignSaveJpegTarget", "VipsForeignSavePngTarget",
		"VipsForeignSaveWebpTarget", NULL};

#ifdef M_MMAP_THRESHOLD
	/* Fixed, or glibc raises it and keeps the largest picture's buffers for ever. */
	mallopt(M_MMAP_THRESHOLD, 512 * 1024);
#endif
	if (vips_init(name))
		return fail(error);
	vips_concurrency_set(1);
	vips_cache_set_max(0);
	vips_cache_set_max_mem(0);
	vips_cache_set_max_files(0);
	g_log_set_handler("VIPS", G_LOG_LEVEL_MASK | G_LOG_FLAG_RECURSION, on_log, NULL);

	vips_block_untrusted_set(TRUE);
	vips_operation_block_set("VipsForeignLoad", TRUE);
	vips_operation_block_set("VipsForeignSave", TRUE);
	for (int i = 0; allowed[i] != NULL; i++)
		vips_operation_block_set(allowed[i], FALSE);
	return 0;
}

/* Loading refuses what is truncated; other damage is either an error as well or left as a warning for Go to weigh. */
static int
load(const KadrSource *from, int shrink, int frames, VipsImage **out)
{
	VipsSource *source = vips_source_new_from_memory(from->data, from->length);
	int result = -1;

	if (source == NULL)
		return -1;
	switch (from->format) {
	case KADR_JPEG:
		result = vips_jpegload_source(source, out, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_TRUNCATED,
			"shrink", shrink, NULL);
		break;
	case KADR_PNG:
		result = vips_pngload_source(source, out, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_TRUNCATED,
			NULL);
		break;
	case KADR_GIF:
		result = vips_gifload_source(source, out, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR,
			"n", frames, NULL);
		break;
	case KADR_WEBP:
		result = vips_webpload_source(source, out, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_TRUNCATED,
			"n", frames, "scale", 1.0 / shrink, NULL);
		break;
	default:
		vips_error("kadr", "unknown input format %d", from->format);
	}
	g_object_unref(source);
	return result;
}

int
kadr_header(const KadrSource *source, KadrHeader *header, char *error)
{
	VipsImage *image = NULL;

	if (load(source, 1, 1, &image))
		return fail(error);
	header->width = vips_image_get_width(image);
	header->height = vips_image_get_page_height(image);
	header->frames = vips_image_get_n_pages(image);
	header->alpha = vips_image_hasalpha(image);
	header->profile = vips_image_get_typeof(image, VIPS_META_ICC_NAME) != 0;
	header->interlaced = vips_image_get_typeof(image, "jpeg-multiscan") != 0 ||
		vips_image_get_typeof(image, "interlaced") != 0;
	g_object_unref(image);
	take_log(NULL);
	return 0;
}

/* Resizes with the alpha multiplied in, so that the colour of transparent pixels does not bleed. Multiplied values go
 * back to integers before the resize: three times as fast as floats, and exact where anything is visible. */
static int
resize(VipsObject *context, VipsImage *in, int width, int height, VipsImage **out)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 5);
	int alpha = vips_image_hasalpha(in);
	VipsBandFormat format = vips_image_get_format(in);

	if (in->Xsize == width && in->Ysize == height) {
		*out = g_object_ref(in);
		return 0;
	}
	if (alpha) {
		if (vips_premultiply(in, &t[0], NULL) || vips_cast(t[0], &t[1], format, NULL))
			return -1;
		in = t[1];
	}
	if (vips_resize(in, &t[2], (double) width / in->Xsize, "vscale", (double) height / in->Ysize, NULL))
		return -1;
	if (alpha)
		return vips_unpremultiply(t[2], &t[3], NULL) || vips_cast(t[3], out, format, NULL);
	*out = g_object_ref(t[2]);
	return 0;
}

/* Forgets everything but the pixels. The savers' own "strip" is not enough: libvips 8.14.1 writes EXIF into a WebP,
 * GPS and all, whatever it says. */
static void
forget(VipsImage *image)
{
	char **fields = vips_image_get_fields(image);

	for (int i = 0; fields != NULL && fields[i] != NULL; i++)
		vips_image_remove(image, fields[i]);
	g_strfreev(fields);
}

/* Converts to 8-bit sRGB or, for what has no colour, 8-bit grey, without metadata. A profile that cannot be used is
 * ignored, as browsers do. */
static int
to_srgb(VipsObject *context, VipsImage *in, VipsImage **out)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 3);
	int profile = vips_image_get_typeof(in, VIPS_META_ICC_NAME) != 0;
	VipsInterpretation wanted;
	int cmyk = in->Type == VIPS_INTERPRETATION_CMYK;

	if (profile || cmyk) {
		if (!vips_icc_transform(in, &t[0], "srgb", "embedded", TRUE, "input_profile", cmyk ? "cmyk" : "srgb", NULL))
			in = t[0];
		else
			vips_error_clear();
	}
	/* Most pictures are there already, and for a tiny one each operation costs more than its pixels. */
	wanted = in->Bands < 3 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
	if (in->Type != wanted) {
		if (vips_colourspace(in, &t[1], wanted, NULL))
			return -1;
		in = t[1];
	}
	if (in->BandFmt != VIPS_FORMAT_UCHAR) {
		if (vips_cast(in, &t[2], VIPS_FORMAT_UCHAR, NULL))
			return -1;
		in = t[2];
	}
	if (vips_copy(in, out, NULL))
		return -1;
	forget(*out);
	return 0;
}

static int
orient(VipsObject *context, VipsImage *in, int orientation, VipsImage **out)
{
	static const VipsAngle angle[9] = {0, VIPS_ANGLE_D0, VIPS_ANGLE_D0, VIPS_ANGLE_D180, VIPS_ANGLE_D180,
		VIPS_ANGLE_D90, VIPS_ANGLE_D90, VIPS_ANGLE_D270, VIPS_ANGLE_D270};
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 1);
	int mirrored = orientation == 2 || orientation == 4 || orientation == 5 || orientation == 7;

	if (!mirrored)
		return vips_rot(in, out, angle[orientation], NULL);
	return vips_rot(in, &t[0], angle[orientation], NULL) || vips_flip(t[0], out, VIPS_DIRECTION_HORIZONTAL, NULL);
}

/* A WebP goes to memory, where its encoder has it anyway: Go takes out the EXIF that libvips adds of its own. */
static int
save(VipsObject *context, VipsImage *in, KadrOutput *output)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 1);
	int memory = output->format == KADR_WEBP;
	VipsTarget *target = memory ? vips_target_new_to_memory() : vips_target_new_to_descriptor(output->fd);
	int result = -1;

	if (target == NULL)
		return -1;
	switch (output->format) {
	case KADR_JPEG:
		if (vips_image_hasalpha(in)) {
			VipsArrayDouble *white = vips_array_double_newv(1, 255.0);
			result = vips_flatten(in, &t[0], "background", white, NULL);
			vips_area_unref(VIPS_AREA(white));
			if (result)
				break;
			in = t[0];
		}
		result = vips_jpegsave_target(in, target, "Q", output->quality, "interlace", TRUE, "optimize_coding", TRUE,
			"strip", TRUE, NULL);
		break;
	case KADR_PNG:
		result = vips_pngsave_target(in, target, "compression", output->effort, "filter",
			VIPS_FOREIGN_PNG_FILTER_ALL, "strip", TRUE, NULL);
		break;
	case KADR_WEBP:
		result = vips_webpsave_target(in, target, "Q", output->quality, "effort", output->effort, "strip", TRUE, NULL);
		break;
	default:
		vips_error("kadr", "unknown output format %d", output->format);
	}
	if (!result && memory) {
		VipsBlob *blob;
		const void *data;
		g_object_get(target, "blob", &blob, NULL);
		data = vips_blob_get(blob, &output->length);
		output->data = g_memdup2(data, output->length);
		vips_area_unref(VIPS_AREA(blob));
	}
	g_object_unref(target);
	return result;
}

static int
placeholder(VipsObject *context, VipsImage *in, KadrJob *job)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 1);
	size_t size;
	void *pixels;

	if (resize(context, in, job->hash_width, job->hash_height, &t[0]) ||
		(pixels = vips_image_write_to_memory(t[0], &size)) == NULL)
		return -1;
	job->hash_bands = t[0]->Bands;
	memcpy(job->hash_pixels, pixels, VIPS_MIN(size, sizeof(job->hash_pixels)));
	g_free(pixels);
	return 0;
}

/* Decodes the rows from the given one on, keeping none. Returns the first that fails, or -1. */
static int
scan(VipsImage *in, int from)
{
	VipsRegion *region = vips_region_new(in);
	int failed = -1;

	for (int y = from; y < in->Ysize; y += 16) {
		VipsRect rows = {0, y, in->Xsize, VIPS_MIN(16, in->Ysize - y)};
		if (vips_region_prepare(region, &rows)) {
			failed = y;
			break;
		}
	}
	g_object_unref(region);
	return failed;
}

static int
run(VipsObject *context, KadrJob *job)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 6 + 2 * KADR_MAX_OUTPUTS);
	VipsImage *base;
	int animated = job->frames > 1;
	int hashed = job->hash_width == 0;
	int needs = job->n_outputs + (job->hash_width > 0);

	if (load(&job->source, job->shrink, job->frames, &t[0]))
		return -1;
	base = t[0];
	if (animated) {
		if (vips_extract_area(base, &t[1], 0, 0, base->Xsize, vips_image_get_page_height(base), NULL))
			return -1;
		base = t[1];
	}
	if (resize(context, base, job->base_width, job->base_height, &t[2]) || to_srgb(context, t[2], &t[3]))
		return -1;
	base = t[3];

	/* The source can be read once, from the top down. What is used twice, or turned, has to be in memory; a single
	 * upright picture streams through. */
	if (needs > 1 || animated || job->orientation > 1) {
		if ((t[4] = vips_image_copy_memory(base)) == NULL)
			return -1;
		base = t[4];
	}
	if (animated && scan(t[0], vips_image_get_page_height(t[0])) >= 0)
		return -1;
	if (job->orientation > 1) {
		if (orient(context, base, job->orientation, &t[5]))
			return -1;
		base = t[5];
	}

	for (int i = 0; i < job->n_outputs; i++) {
		KadrOutput *output = &job->outputs[i];
		if (!hashed && output->width < job->hash_width) {
			if (placeholder(context, base, job))
				return -1;
			hashed = 1;
		}
		if (base->Xsize != output->width || base->Ysize != output->height) {
			VipsImage **next = &t[6 + 2 * i];
			if (resize(context, base, output->width, output->height, &next[0]) ||
				(next[1] = vips_image_copy_memory(next[0])) == NULL)
				return -1;
			base = next[1];
		}
		if (save(context, base, output))
			return -1;
	}
	return hashed ? 0 : placeholder(context, base, job);
}

int
kadr_run(KadrJob *job)
{
	/* Everything made on the way hangs on this object and goes with it. */
	VipsObject *context = VIPS_OBJECT(vips_image_new());
	int result;

	take_log(NULL);
	result = run(context, job);
	g_object_unref(context);
	take_log(job->warning);
	return result ? fail(job->error) : 0;
}

int
kadr_locate(const KadrSource *source, int frames, int shrink, int *rows)
{
	VipsImage *image = NULL;
	int failed = 0;

	*rows = 0;
	if (!load(source, shrink, frames, &image)) {
		*rows = image->Ysize;
		failed = scan(image, 0);
		g_object_unref(image);
	}
	vips_error_clear();
	take_log(NULL);
	return failed;
}

void
kadr_trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

const char *
kadr_version(void)
{
	return vips_version_string();
}

void
kadr_free(void *data)
{
	g_free(data);
}
