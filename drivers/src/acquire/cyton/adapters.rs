//! Serial ports of USB adapters, as sysfs lists them below a root that tests choose.

use super::latency_timer::latency_ms;
use std::fs;
use std::path::{Path, PathBuf};

/// Vendor of the dongle's adapter, and its products: FT231X, and FT232R of older dongles.
const FTDI: &str = "0403";
const DONGLES: [&str; 2] = ["6015", "6001"];

/// A serial port behind USB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// Port, e.g. `/dev/ttyUSB0`.
    pub port: PathBuf,
    /// The port's name that stays the same when it is plugged in again.
    pub by_id: Option<PathBuf>,
    /// USB vendor and product, four hexadecimal digits each.
    pub vendor_product: String,
    /// What the adapter says of its make.
    pub product: String,
    /// Its serial number.
    pub serial: String,
    /// How long it keeps what it has received, ms; `None` if it has no such timer.
    pub latency_ms: Option<u32>,
}

impl Adapter {
    /// True if a Cyton's dongle looks like this: its adapter has no mark of its own.
    pub fn looks_like_cyton(&self) -> bool {
        let ids = self.vendor_product.split_once(':');
        ids.is_some_and(|(vendor, product)| vendor == FTDI && DONGLES.contains(&product))
    }
}

/// All serial ports behind USB, by name.
pub fn list(root: &Path) -> Vec<Adapter> {
    let ports = entries(&root.join("sys/class/tty"));
    let mut adapters: Vec<Adapter> = ports.iter().filter_map(|tty| adapter(root, tty)).collect();
    adapters.sort_by(|a, b| a.port.cmp(&b.port));
    adapters
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn text(folder: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(folder.join(name)).ok()?;
    Some(text.trim().to_owned())
}

fn adapter(root: &Path, tty: &Path) -> Option<Adapter> {
    let name = tty.file_name()?;
    // From the port through its interface up to the device that has the USB numbers.
    let device = fs::canonicalize(tty.join("device")).ok()?;
    let usb = device
        .ancestors()
        .take(4)
        .find(|folder| folder.join("idVendor").exists())?;
    let port = Path::new("/dev").join(name);
    Some(Adapter {
        by_id: by_id(root, name.as_ref()),
        vendor_product: format!("{}:{}", text(usb, "idVendor")?, text(usb, "idProduct")?),
        product: text(usb, "product").unwrap_or_default(),
        serial: text(usb, "serial").unwrap_or_default(),
        latency_ms: latency_ms(root, &port),
        port,
    })
}

/// The link in `/dev/serial/by-id` that leads to a port.
fn by_id(root: &Path, name: &Path) -> Option<PathBuf> {
    let links = entries(&root.join("dev/serial/by-id"));
    let link = links.iter().find(|link| {
        let target = fs::read_link(link).ok();
        target.as_deref().and_then(Path::file_name) == Some(name.as_os_str())
    })?;
    Some(Path::new("/dev/serial/by-id").join(link.file_name()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn plug(root: &Path, name: &str, ids: (&str, &str), product: &str, timer: Option<&str>) {
        let usb = root.join("sys/devices/pci0/usb1").join(format!("1-{name}"));
        let device = usb.join("1-1:1.0").join(name);
        fs::create_dir_all(&device).unwrap();
        fs::write(usb.join("idVendor"), format!("{}\n", ids.0)).unwrap();
        fs::write(usb.join("idProduct"), format!("{}\n", ids.1)).unwrap();
        fs::write(usb.join("product"), format!("{product}\n")).unwrap();
        fs::write(usb.join("serial"), "DM00Q0QN\n").unwrap();
        let class = root.join("sys/class/tty").join(name);
        fs::create_dir_all(&class).unwrap();
        symlink(&device, class.join("device")).unwrap();
        let bus = root.join("sys/bus/usb-serial/devices");
        fs::create_dir_all(&bus).unwrap();
        symlink(&device, bus.join(name)).unwrap();
        if let Some(timer) = timer {
            fs::write(device.join("latency_timer"), timer).unwrap();
        }
    }

    #[test]
    fn a_dongle_is_found_among_other_ports_with_its_timer_and_its_lasting_name() {
        let root = tempfile::tempdir().unwrap();
        plug(
            root.path(),
            "ttyUSB1",
            ("0403", "6015"),
            "FT231X USB UART",
            Some("16\n"),
        );
        plug(
            root.path(),
            "ttyACM0",
            ("2341", "0043"),
            "Arduino Uno",
            None,
        );
        fs::create_dir_all(root.path().join("sys/class/tty/tty0")).unwrap();
        let links = root.path().join("dev/serial/by-id");
        fs::create_dir_all(&links).unwrap();
        symlink(
            "../../ttyUSB1",
            links.join("usb-FTDI_FT231X_DM00Q0QN-if00-port0"),
        )
        .unwrap();
        let adapters = list(root.path());
        let found: Vec<_> = adapters
            .iter()
            .map(|a| (a.port.to_str(), a.looks_like_cyton()))
            .collect();
        assert_eq!(
            found,
            [(Some("/dev/ttyACM0"), false), (Some("/dev/ttyUSB1"), true)]
        );
        let dongle = &adapters[1];
        assert_eq!(dongle.latency_ms, Some(16));
        assert_eq!(dongle.serial, "DM00Q0QN");
        assert_eq!(
            dongle.by_id.as_deref(),
            Some(Path::new(
                "/dev/serial/by-id/usb-FTDI_FT231X_DM00Q0QN-if00-port0"
            ))
        );
    }

    #[test]
    fn a_host_without_usb_ports_has_none() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(list(root.path()), []);
    }
}
