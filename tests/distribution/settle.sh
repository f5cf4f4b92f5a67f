#!/bin/sh
# Run by mmdebstrap with the new root's directory: settles what an installer would, and writes a GRUB configuration for
# each of the settings in $SETTINGS into $CONFIGURATIONS.
set -eu
root=$1

echo debian >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 debian\n' >"$root/etc/hosts"
echo "UUID=$FILESYSTEM / ext4 errors=remount-ro 0 1" >"$root/etc/fstab"
echo "root:$PASSWORD" | chroot "$root" chpasswd
: >"$root/etc/machine-id"
printf '[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\n' >"$root/etc/systemd/network/80-dhcp.network"
chroot "$root" systemctl --quiet enable systemd-networkd
chroot "$root" systemctl --quiet disable apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer \
    dpkg-db-backup.timer systemd-networkd-wait-online.service
# Only a machine that gets a seed runs cloud-init; with one data source alone in the list it would run always.
echo 'datasource_list: [NoCloud, ConfigDrive]' >"$root/etc/cloud/cloud.cfg.d/90_source.cfg"
echo 'policy: search,found=all,maybe=none,notfound=disabled' >"$root/etc/cloud/ds-identify.cfg"

# The disk does not exist yet, so that what asks for it is told what it will be.
mv "$root/usr/sbin/grub-probe" "$root/usr/sbin/grub-probe.kept"
cat >"$root/usr/sbin/grub-probe" <<PROBE
#!/bin/sh
case "\$*" in
*fs_uuid*) echo $FILESYSTEM ;;
*partmap*) echo msdos ;;
*hints_string*) echo --hint-bios=hd0,msdos1 ;;
*compatibility_hint*) echo hd0,msdos1 ;;
*drive*) echo "(hd0,msdos1)" ;;
*target=fs*) echo ext2 ;;
*target=device*) echo /dev/vda1 ;;
esac
PROBE
chmod +x "$root/usr/sbin/grub-probe"
mkdir -p "$root/dev/disk/by-uuid" "$root/boot/grub/fonts"
: >"$root/dev/disk/by-uuid/$FILESYSTEM"
cp -r "$root/usr/lib/grub/i386-pc" "$root/boot/grub/"
cp "$root/usr/share/grub/unicode.pf2" "$root/boot/grub/fonts/" # without it GRUB does without graphics
sed 's/^GRUB_TIMEOUT=.*/GRUB_TIMEOUT=1/' "$root/usr/share/grub/default/grub" >"$root/etc/default/grub"
mkdir -p "$root/etc/default/grub.d"
for settings in "$SETTINGS"/*; do
    cp "$settings" "$root/etc/default/grub.d/50-test.cfg"
    chroot "$root" update-grub
    cp "$root/boot/grub/grub.cfg" "$CONFIGURATIONS/$(basename "$settings")"
done
rm "$root/etc/default/grub.d/50-test.cfg"
chroot "$root" update-grub
chroot "$root" grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -o /boot/grub/core.img biosdisk part_msdos ext2
mv "$root/usr/sbin/grub-probe.kept" "$root/usr/sbin/grub-probe"
rm -r "$root/dev/disk"
