//! Padded tracks as other programs read them: `FFmpeg` through `PyAV` (`SWITCHYARD_TEST_LEGACY` names
//! the Python that has it), and mkvinfo and ffprobe where they are installed.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use switchyard::audio::{inspect::inspect, pad::pad, source::Source};
use tempfile::TempDir;

/// Names the Python with `PyAV`.
const PYTHON: &str = "SWITCHYARD_TEST_LEGACY";

/// All that hold packets and are undamaged but `empty_payload`, whose empty blocks `FFmpeg` reads as
/// losses of its own.
const TRACKS: [&str; 29] = [
    "mono_off0",
    "mono_off17293",
    "mono_off8130_nopreskip",
    "stereo_off1234",
    "mono_in_stereo_header",
    "espeak_off500",
    "finite_cues",
    "long_clusters",
    "dtx_kept",
    "dtx_dropped",
    "lost_single",
    "mute_gaps",
    "mute_gap_off0",
    "jitter",
    "drift",
    "dup_ts",
    "huge_gap",
    "frame_2_5",
    "frame_10",
    "frame_40",
    "frame_60",
    "preskip_no_codecdelay",
    "no_private",
    "sampling16k",
    "lacing_fixed",
    "lacing_ebml",
    "track_no_200",
    "one_packet",
    "trailing_garbage",
];

fn raw(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/audio/{name}.webm"))
}

fn source(path: &Path) -> Source {
    Source::new(File::open(path).expect("a fixture"))
}

/// A padded track, and what is to be known of it.
struct Padded {
    name: &'static str,
    path: PathBuf,
    samples: u64,
    case: Value,
}

fn padded(folder: &TempDir, name: &'static str) -> Padded {
    let path = folder.path().join(format!("{name}.webm"));
    let report = pad(source(&raw(name)), File::create(&path).expect("a file"));
    let report = report.expect("it is padded");
    let facts = inspect(source(&raw(name)), 1, &|| false).expect("it is read");
    let start = (report.track.start_ms * 48.0).round();
    let first_hole = facts.holes.first();
    let same = first_hole.map_or(1e12, |hole| hole.start_ms * 48.0 - start);
    Padded {
        name,
        samples: report.track.samples,
        case: json!({
            "raw": raw(name), "padded": path, "start": start,
            "pre_skip": facts.pre_skip, "same": same,
        }),
        path,
    }
}

fn all_padded() -> (TempDir, Vec<Padded>) {
    let folder = TempDir::new().expect("a folder");
    let tracks = TRACKS.iter().map(|name| padded(&folder, name)).collect();
    (folder, tracks)
}

/// Runs the script on the tracks; none without a Python.
fn told_by_ffmpeg(tracks: &[Padded]) -> Option<Vec<Value>> {
    let Ok(python) = std::env::var(PYTHON) else {
        eprintln!("skipped: {PYTHON} names no Python with PyAV");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audio/ffmpeg.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let cases: Vec<&Value> = tracks.iter().map(|track| &track.case).collect();
    let cases = serde_json::to_vec(&cases).expect("plain data");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(&cases).expect("python reads");
    drop(stdin);
    let output = child.wait_with_output().expect("python ends");
    assert!(output.status.success(), "the script failed");
    Some(serde_json::from_slice(&output.stdout).expect("it writes JSON"))
}

#[test]
fn ffmpeg_hears_silence_and_then_the_raw_track_to_the_sample() {
    let (_folder, tracks) = all_padded();
    let Some(answers) = told_by_ffmpeg(&tracks) else {
        return;
    };
    assert_eq!(answers.len(), TRACKS.len());
    for (track, answer) in tracks.iter().zip(&answers) {
        let name = track.name;
        for decoder in ["native", "libopus"] {
            let heard = &answer[decoder];
            let number = |key: &str| heard[key].as_f64().expect("a number");
            assert_eq!(heard["samples"], track.samples, "{name} by {decoder}");
            assert!(number("compared") > 0.0, "{name} is too short to compare");
            assert_eq!(heard["differing"], 0, "{name} by {decoder}");
            assert!(number("quiet_peak") < 1e-3, "{name} by {decoder}: {heard}");
            assert!(number("lead_peak") <= 2.0, "{name} by {decoder}: {heard}");
        }
        let container = &answer["container"];
        let number = |key: &str| container[key].as_f64().expect("a number");
        let seconds = track.samples as f64 / 48_000.0;
        assert!(number("start_s") <= 0.0, "{name}: {container}");
        assert!(
            (number("duration_s") - seconds).abs() < 0.001,
            "{name}: {container}"
        );
        assert_eq!(container["steps_back"], 0, "{name}");
        // Seeking lands on a cluster, of which there is one every five seconds.
        assert!(
            (number("sought_s") - seconds / 2.0).abs() < 5.1,
            "{name}: {container}"
        );
        assert_eq!(container["complaints"], json!([]), "{name}");
    }
}

/// The most memory this process ever had, in bytes.
#[cfg(target_os = "linux")]
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    kilobytes
        .expect("it is there")
        .parse::<u64>()
        .expect("a number")
        * 1024
}

/// How much a step of its own process takes beyond what two seconds of sound take.
#[cfg(target_os = "linux")]
fn memory_of(step: &str, folder: &TempDir) -> u64 {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("audio::a_step_whose_memory_is_measured")
        .env("STEP", step)
        .env("FOLDER", folder.path())
        .output()
        .expect("it runs once more");
    let printed = String::from_utf8_lossy(&output.stdout);
    let told = printed.lines().find_map(|line| line.split_once("took "));
    let bytes = told.and_then(|(_, bytes)| bytes.trim().parse().ok());
    bytes.unwrap_or_else(|| panic!("{step}: {printed}"))
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "the tests of memory run it, in a process of its own"]
fn a_step_whose_memory_is_measured() {
    use switchyard::audio::mixdown::{MixSettings, mixdown};
    let folder = PathBuf::from(std::env::var("FOLDER").expect("a folder"));
    let step = std::env::var("STEP").expect("a step");
    let (what, seconds) = step.split_once(' ').expect("what and how long");
    let take = |seconds: &str| {
        let track = folder.join(format!("{seconds}.webm"));
        let sink = tempfile::tempfile().expect("a file");
        if what == "pad" {
            pad(source(&track), sink).expect("it is padded");
        } else {
            let tracks = (0..12).map(|_| source(&track)).collect();
            let mixed = mixdown(tracks, MixSettings::default(), &|_| {}, &|| false, sink);
            mixed.expect("they are mixed");
        }
    };
    // The program's own pages count as memory once they are read: all that a step takes are by now.
    take("2");
    let before = peak_memory();
    take(seconds);
    println!("took {}", peak_memory() - before);
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_bounded_and_does_not_grow_with_length() {
    const MB: u64 = 1 << 20;
    let folder = TempDir::new().expect("a folder");
    let short = std::fs::read(raw("frame_60")).expect("a fixture");
    for seconds in [2, 180, 300, 12 * 3600] {
        let long = File::create(folder.path().join(format!("{seconds}.webm"))).expect("a file");
        switchyard::audio::yardstick::lengthen(&short, seconds, 500, &[], long)
            .expect("it is made");
    }
    let pads = ["pad 180", "pad 43200"].map(|step| memory_of(step, &folder));
    eprintln!("bytes for padding {pads:?}");
    assert!(
        pads[1] < 16 * MB,
        "padding 12 hours takes {} bytes",
        pads[1]
    );
    assert!(pads[1] < pads[0] + 4 * MB, "{pads:?}");
    let mixes = ["mix 180", "mix 300"].map(|step| memory_of(step, &folder));
    assert!(
        mixes[1] < 48 * MB,
        "mixing 12 tracks takes {} bytes",
        mixes[1]
    );
    assert!(mixes[1] < mixes[0] + 4 * MB, "{mixes:?}");
    eprintln!("bytes for mixing 12 tracks {mixes:?}");
}

/// What a program prints about a file; none where it is not installed.
fn told_by(program: &str, arguments: &[&str], file: &Path) -> Option<(bool, String)> {
    let output = Command::new(program).args(arguments).arg(file).output();
    let Ok(output) = output else {
        eprintln!("skipped: {program} is not installed");
        return None;
    };
    let printed = [output.stdout, output.stderr].concat();
    Some((
        output.status.success(),
        String::from_utf8_lossy(&printed).into_owned(),
    ))
}

#[test]
fn mkvinfo_and_ffprobe_have_nothing_to_complain_about() {
    let (_folder, tracks) = all_padded();
    for Padded { name, path, .. } in &tracks {
        if let Some((good, printed)) = told_by("mkvinfo", &["--all"], path) {
            let told = printed.to_lowercase();
            assert!(good, "{name}: {printed}");
            for bad in ["warning", "error", "unknown element", "damaged"] {
                assert!(!told.contains(bad), "{name}: mkvinfo speaks of `{bad}`");
            }
            assert!(told.contains("cues") && told.contains("duration"), "{name}");
        }
        if let Some((good, printed)) = told_by("ffprobe", &["-v", "warning"], path) {
            assert!(good && printed.trim().is_empty(), "{name}: {printed}");
        }
    }
}
