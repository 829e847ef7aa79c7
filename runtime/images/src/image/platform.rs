//! How well an image's platform fits the one that is wanted (containerd's `platforms` has the same names for the same things).

use std::fmt::Display;

use host::platform::Platform;

/// Of two images that a machine runs, the one that fits better makes more of its processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fit(u8);

/// Whether images for that system and architecture run there, whatever their variant.
pub fn runs(platform: Platform, os: impl Display, architecture: impl Display) -> bool {
    let (os, architecture) =
        (os.to_string().to_lowercase(), architecture.to_string().to_lowercase());
    let architecture = match architecture.as_str() {
        "x86_64" | "x86-64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    platform.runs(os, architecture)
}

/// How well such an image fits; `None` where it does not run. Without a variant it is for every processor of its architecture.
pub fn fit(
    platform: Platform,
    os: impl Display,
    architecture: impl Display,
    variant: Option<&str>,
) -> Option<Fit> {
    if !runs(platform, os, architecture) {
        return None;
    }
    let variant = variant.unwrap_or_default().to_lowercase();
    let level = match (platform, variant.strip_prefix('v').unwrap_or(&variant)) {
        (Platform::Amd64, "" | "1") => 1,
        (Platform::Amd64, "2") => 2,
        (Platform::Amd64, "3") => 3,
        (Platform::Amd64, "4") => 4,
        // Of Arm's later versions no processor here is known to be.
        (Platform::Arm64, "" | "8" | "8.0") => 1,
        _ => return None,
    };
    (level <= level_of(platform)).then_some(Fit(level))
}

/// Which level a platform's processors have at least: this machine's, or, of another, the lowest.
fn level_of(platform: Platform) -> u8 {
    if platform == Platform::NATIVE { native_level() } else { 1 }
}

/// x86-64 psABI, "Micro-Architecture Levels". (LAHF and SAHF, which level 2 asks for, have all that have the rest of it.)
#[cfg(target_arch = "x86_64")]
fn native_level() -> u8 {
    use std::arch::is_x86_feature_detected as has;
    let levels = [
        has!("cmpxchg16b")
            && has!("popcnt")
            && has!("sse3")
            && has!("ssse3")
            && has!("sse4.1")
            && has!("sse4.2"),
        has!("avx")
            && has!("avx2")
            && has!("bmi1")
            && has!("bmi2")
            && has!("f16c")
            && has!("fma")
            && has!("lzcnt")
            && has!("movbe"),
        has!("avx512f")
            && has!("avx512bw")
            && has!("avx512cd")
            && has!("avx512dq")
            && has!("avx512vl"),
    ];
    1 + levels.iter().take_while(|&&has| has).count() as u8
}

#[cfg(not(target_arch = "x86_64"))]
fn native_level() -> u8 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_thing_are_the_same() {
        for (platform, names) in [
            (Platform::Amd64, ["amd64", "x86_64", "AMD64"]),
            (Platform::Arm64, ["arm64", "aarch64", "Arm64"]),
        ] {
            let other = if platform == Platform::Amd64 { Platform::Arm64 } else { Platform::Amd64 };
            for name in names {
                assert!(runs(platform, "linux", name) && runs(platform, "Linux", name), "{name}");
                assert!(!runs(other, "linux", name) && !runs(platform, "windows", name), "{name}");
            }
        }
        assert!(!runs(Platform::Amd64, "linux", "386") && !runs(Platform::Arm64, "linux", "arm"));
    }

    #[test]
    fn no_variant_is_the_lowest() {
        let amd64 = |variant| fit(Platform::Amd64, "linux", "amd64", variant);
        let arm64 = |variant| fit(Platform::Arm64, "linux", "arm64", variant);
        assert!(
            amd64(None).is_some()
                && amd64(None) == amd64(Some("v1"))
                && amd64(None) == amd64(Some(""))
        );
        assert!(
            arm64(None).is_some()
                && arm64(None) == arm64(Some("v8"))
                && arm64(None) == arm64(Some("8"))
        );
        assert_eq!((amd64(Some("v5")), amd64(Some("v8")), amd64(Some("x"))), (None, None, None));
        assert_eq!((arm64(Some("v9")), arm64(Some("v7"))), (None, None));
    }

    #[test]
    fn a_level_fits_as_far_as_the_processor_goes() {
        let fits = |level: u8| fit(Platform::Amd64, "linux", "amd64", Some(&format!("v{level}")));
        let most = level_of(Platform::Amd64);
        for level in 1..=4 {
            assert_eq!(fits(level).is_some(), level <= most, "v{level} on v{most}");
            assert!(level == 1 || level > most || fits(level) > fits(level - 1));
        }
    }
}
