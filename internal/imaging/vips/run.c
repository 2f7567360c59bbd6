#include "internal.h"

/* What an animation is besides its pixels. */
typedef struct {
	int loop;
	int n_delays;
	int *delays;
} Timing;

static void
read_timing(VipsImage *roll, Timing *timing)
{
	int *delays;

	timing->delays = NULL;
	if (vips_image_get_typeof(roll, "loop") == 0 || vips_image_get_int(roll, "loop", &timing->loop))
		timing->loop = 0;
	if (vips_image_get_typeof(roll, "delay") != 0 &&
		!vips_image_get_array_int(roll, "delay", &delays, &timing->n_delays))
		timing->delays = g_memdup2(delays, timing->n_delays * sizeof(int));
}

static void
write_timing(VipsImage *roll, int frames, const KadrOutput *output, const Timing *timing)
{
	int first = output->frame;

	vips_image_set_int(roll, VIPS_META_PAGE_HEIGHT, roll->Ysize / frames);
	vips_image_set_int(roll, VIPS_META_N_PAGES, frames);
	vips_image_set_int(roll, "loop", timing->loop);
	if (timing->delays != NULL && timing->n_delays >= first + frames)
		vips_image_set_array_int(roll, "delay", timing->delays + first, frames);
}

/* Cut, resize, to sRGB, turn. A source can be read once, from the top down; what is turned has to be in memory. */
static int
scaled(VipsObject *context, VipsImage *in, const KadrOutput *output, VipsImage **out)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 4);

	if (output->crop_width > 0) {
		if (vips_extract_area(in, &t[0], output->crop_left, output->crop_top, output->crop_width, output->crop_height,
				NULL))
			return -1;
		in = t[0];
	}
	if (kadr_resize(context, in, output->scaled_width, output->scaled_height, &t[1]))
		return -1;
	in = t[1];
	if (output->from < 0) {
		if (kadr_to_srgb(context, in, &t[2]))
			return -1;
		in = t[2];
	}
	if (output->orientation > 1) {
		if ((t[3] = vips_image_copy_memory(in)) == NULL)
			return -1;
		return kadr_orient(context, t[3], output->orientation, out);
	}
	*out = g_object_ref(in);
	return 0;
}

/* Background, canvas, blur. The first before the others: it comes to the same, and is less to do. */
static int
finished(VipsObject *context, VipsImage *in, const KadrOutput *output, VipsImage **out)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 2);

	if (kadr_flatten(context, in, output, &t[0]) || kadr_place(context, t[0], output, &t[1]))
		return -1;
	if (output->blur > 0)
		return kadr_blur(context, t[1], output->blur, out);
	*out = g_object_ref(t[1]);
	return 0;
}

typedef int (*Step)(VipsObject *context, VipsImage *in, const KadrOutput *output, VipsImage **out);

/* Takes the step with each of the frames, which lie one below the other and are of the given height. Of more than one
 * the results are put into memory, again one below the other. */
static int
each(VipsObject *context, VipsImage *in, int height, int first, int frames, Step step, const KadrOutput *output,
	VipsImage **out)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 2);
	VipsImage *roll = NULL;

	if (frames == 1) {
		if (in->Ysize != height) {
			if (vips_extract_area(in, &t[0], 0, first * height, in->Xsize, height, NULL))
				return -1;
			in = t[0];
		}
		return step(context, in, output, out);
	}
	for (int i = 0; i < frames; i++) {
		VipsObject *inner = VIPS_OBJECT(vips_image_new());
		VipsImage **n = (VipsImage **) vips_object_local_array(inner, 3);
		int failed = vips_extract_area(in, &n[0], 0, (first + i) * height, in->Xsize, height, NULL) ||
			step(inner, n[0], output, &n[1]) || (n[2] = vips_image_copy_memory(n[1])) == NULL;

		if (!failed && roll == NULL) {
			t[1] = roll = vips_image_new_memory();
			vips_image_init_fields(roll, n[2]->Xsize, n[2]->Ysize * frames, n[2]->Bands, n[2]->BandFmt,
				VIPS_CODING_NONE, n[2]->Type, 1.0, 1.0);
			failed = vips_image_write_prepare(roll);
		}
		if (!failed)
			memcpy(VIPS_IMAGE_ADDR(roll, 0, i * n[2]->Ysize), VIPS_IMAGE_ADDR(n[2], 0, 0), VIPS_IMAGE_SIZEOF_IMAGE(n[2]));
		g_object_unref(inner);
		if (failed)
			return -1;
	}
	*out = g_object_ref(roll);
	return 0;
}

static int
pixels(VipsImage *in, KadrJob *job)
{
	size_t size;
	void *data = vips_image_write_to_memory(in, &size);

	if (data == NULL)
		return -1;
	job->hash_bands = in->Bands;
	memcpy(job->hash_pixels, data, VIPS_MIN(size, sizeof(job->hash_pixels)));
	g_free(data);
	return 0;
}

/* Makes one picture. The scaled one is left in *mine for those that are made of it. */
static int
make(VipsObject *context, KadrJob *job, VipsImage *in, int height, KadrOutput *output, const Timing *timing,
	VipsImage **mine)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 5);
	int first = output->from < 0 ? output->frame : 0;
	int frames = output->frames;
	int whole = frames > 1 && in->Ysize == height * frames;

	if (whole && output->crop_width == 0 && output->orientation <= 1 && in->Xsize == output->scaled_width &&
		height == output->scaled_height) {
		if (kadr_to_srgb(context, in, &t[0]))
			return -1;
	}
	else if (each(context, in, height, first, frames, scaled, output, &t[0]))
		return -1;
	in = t[0];
	if (output->kept) {
		if ((t[1] = vips_image_copy_memory(in)) == NULL)
			return -1;
		in = t[1];
	}
	*mine = in;
	height = in->Ysize / frames;

	if (output->seek != KADR_SEEK_NONE) {
		if (vips_extract_area(in, &t[2], 0, 0, in->Xsize, height, NULL) ||
			kadr_seek(context, t[2], output, &output->canvas_left, &output->canvas_top))
			return -1;
	}
	if (output->blur == 0 && in->Xsize == output->canvas_width && height == output->canvas_height) {
		if (kadr_flatten(context, in, output, &t[3]))
			return -1;
	}
	else if (each(context, in, height, 0, frames, finished, output, &t[3]))
		return -1;
	if (output->format == KADR_PIXELS)
		return pixels(t[3], job);
	if (frames == 1)
		return kadr_save(context, t[3], output);
	if (vips_copy(t[3], &t[4], NULL))
		return -1;
	write_timing(t[4], frames, output, timing);
	return kadr_save(context, t[4], output);
}

/* Only of a JPEG is it known. */
static int
is_subsampled(VipsImage *in)
{
	const char *name = "jpeg-chroma-subsample", *value;

	return vips_image_get_typeof(in, name) != 0 && !vips_image_get_string(in, name, &value) &&
		strcmp(value, "4:2:0") == 0;
}

static int
run(VipsObject *context, KadrJob *job, Timing *timing)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 3);
	VipsImage *mine[KADR_MAX_OUTPUTS + 1];
	VipsImage *base;
	int height, subsampled, direct = 0;

	if (kadr_load(&job->source, job->shrink, job->page, job->frames, &t[0]))
		return -1;
	base = t[0];
	read_timing(base, timing);
	subsampled = is_subsampled(base);
	height = base->Ysize / job->frames;
	for (int i = 0; i < job->n_outputs; i++)
		direct += job->outputs[i].from < 0;
	if (direct > 1) { /* it can be read once only */
		if (job->used < job->frames) {
			if (vips_extract_area(base, &t[1], 0, 0, base->Xsize, height * job->used, NULL))
				return -1;
			base = t[1];
		}
		if ((t[2] = vips_image_copy_memory(base)) == NULL)
			return -1;
		base = t[2];
	}
	for (int i = 0; i < job->n_outputs; i++) {
		KadrOutput *output = &job->outputs[i];
		VipsImage *in = output->from < 0 ? base : mine[output->from];
		int h = output->from < 0 ? height : in->Ysize / output->frames;

		output->subsampled = subsampled;
		if (make(context, job, in, h, output, timing, &mine[i]))
			return -1;
	}
	return job->used < job->frames && kadr_scan(t[0], height * job->used) >= 0 ? -1 : 0;
}

int
kadr_make(KadrJob *job)
{
	/* Everything made on the way hangs on this object and goes with it. */
	VipsObject *context = VIPS_OBJECT(vips_image_new());
	Timing timing = {0};
	int result = run(context, job, &timing);

	g_free(timing.delays);
	g_object_unref(context);
	return result;
}
